/** Largest number of rooms that are remembered. */
const MOST = 10_000;
/** Number of rooms that are given an end at the same time. */
const AT_ONCE = 16;

/**
 * Rooms that were read while an older node may have lived. Such a read leaves a meta without an end, because an older
 * node would not take the end back at the first commit (R41). Once no older node lives, unused rooms are given one.
 */
export class UnendedRooms {
  private readonly rooms = new Map<string, number>();

  /** Remembers a room, up to a bound; beyond it, a meta stays until its room is used again. */
  add(room: string, idleTtlMs: number): void {
    if (this.rooms.size < MOST) this.rooms.set(room, idleTtlMs);
  }

  /**
   * Gives the rooms their ends.
   * @param keep keeps a room for its idle time; a room for which it fails is remembered for the next call
   */
  async end(keep: (room: string, idleTtlMs: number) => Promise<void>): Promise<void> {
    const rooms = [...this.rooms];
    this.rooms.clear();
    const next = async (): Promise<void> => {
      for (let entry = rooms.pop(); entry; entry = rooms.pop()) {
        const [room, idleTtlMs] = entry;
        await keep(room, idleTtlMs).catch(() => this.add(room, idleTtlMs));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }
}
