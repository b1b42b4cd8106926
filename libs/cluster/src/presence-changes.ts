import type { PresenceChange, PresenceEnter } from './presence-store.js';

/** The engine may know the client already, so that its leaving has to be told. */
type Waiting = PresenceChange & { readonly mayBeKnown?: true };

/** This node's clients in a room, and what of them the engine does not know yet: of each client the newest. */
export class PresenceChanges {
  /** Client → what it entered with. */
  private readonly entries = new Map<string, PresenceEnter>();
  private readonly waiting = new Map<string, Waiting>();

  /** Clients that are in the room. */
  get clients(): number {
    return this.entries.size;
  }

  /** Changes that wait. */
  get size(): number {
    return this.waiting.size;
  }

  /** Returns whether that changed anything; a client that tells nothing of itself changes nothing it told before. */
  enter(entry: PresenceEnter): boolean {
    const { client, meta } = entry;
    const before = this.entries.get(client);
    if (before && (meta === undefined || meta === before.meta)) return false;
    this.entries.set(client, entry);
    this.waiting.set(client, this.waiting.has(client) ? { ...entry, mayBeKnown: true } : entry);
    return true;
  }

  /** Returns whether that changed anything. */
  leave(client: string, graceMs: number): boolean {
    if (!this.entries.delete(client)) return false;
    const waiting = this.waiting.get(client);
    if (waiting && !waiting.mayBeKnown) this.waiting.delete(client);
    else this.waiting.set(client, { client, graceMs });
    return true;
  }

  /** Whether one of these users has a client here. */
  hasAnyOf(users: ReadonlySet<string>): boolean {
    for (const { user } of this.entries.values()) if (users.has(user)) return true;
    return false;
  }

  /** The engine knows nothing of us. */
  startAgain(): void {
    this.waiting.clear();
    for (const [client, entry] of this.entries) this.waiting.set(client, entry);
  }

  /** Whether anything of what may be sent waits. */
  has(leavesOnly: boolean): boolean {
    return this.peek(1, leavesOnly).length > 0;
  }

  /** Takes the oldest changes out, to be sent. */
  take(most: number, leavesOnly: boolean): PresenceChange[] {
    const changes = this.peek(most, leavesOnly);
    for (const { client } of changes) this.waiting.delete(client);
    return changes;
  }

  /** What may have been done or not is done again, unless something newer came. */
  putBack(changes: readonly PresenceChange[]): void {
    for (const change of changes) {
      if (this.waiting.has(change.client)) continue;
      const current = this.entries.has(change.client) === 'user' in change;
      if (current) this.waiting.set(change.client, { ...change, mayBeKnown: true });
    }
  }

  /** Lets what the engine knows otherwise wait to be told. */
  compare(stored: ReadonlyMap<string, string>, graceMs: number): void {
    for (const client of stored.keys()) {
      if (!this.entries.has(client) && !this.waiting.has(client))
        this.waiting.set(client, { client, graceMs });
    }
    for (const [client, entry] of this.entries) {
      if (stored.get(client) !== entry.user && !this.waiting.has(client)) this.waiting.set(client, entry);
    }
  }

  private peek(most: number, leavesOnly: boolean): Waiting[] {
    const found: Waiting[] = [];
    for (const change of this.waiting.values()) {
      if (found.length === most) break;
      if (!leavesOnly || !('user' in change)) found.push(change);
    }
    return found;
  }
}
