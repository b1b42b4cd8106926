/** A doubt if endings of memberships were missed, from before a room's channel is heard again until the room was read. */
export class RoomDoubt {
  /** True once the channel is heard again: the next read ends the doubt. */
  isHeard = false;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  private resolve!: () => void;

  constructor() {
    this.over = new Promise((resolve) => (this.resolve = resolve));
  }

  end(): void {
    this.resolve();
  }
}
