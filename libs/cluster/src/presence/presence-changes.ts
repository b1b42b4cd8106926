import type { PresenceChange, PresenceEnter, StoredEntries } from './presence-store.js';

/** This node's clients in a room, and the newest change of each client that the engine does not know yet. */
export class PresenceChanges {
  /** Client → its entry; the client that gave its meta last comes last. */
  private readonly entries = new Map<string, PresenceEnter>();
  private readonly waiting = new Map<string, PresenceChange>();
  /** Waiting changes of clients that the engine can't know: their departure need not be announced. */
  private readonly untold = new Set<string>();
  /** The engine's history at the last comparison; under another one it may have lost changes. */
  private history?: string;

  /** Number of clients in the room. */
  get clients(): number {
    return this.entries.size;
  }

  /** Number of waiting changes. */
  get size(): number {
    return this.waiting.size;
  }

  /** Returns true if that changed anything; a client that gives no meta keeps its former one. */
  enter(entry: PresenceEnter): boolean {
    const { client, meta } = entry;
    const before = this.entries.get(client);
    if (before && (meta === undefined || meta === before.meta)) return false;
    if (!before && !this.waiting.has(client)) this.untold.add(client);
    this.entries.delete(client);
    this.entries.set(client, entry);
    this.waiting.set(client, entry);
    return true;
  }

  /** Returns true if that changed anything. */
  leave(client: string, graceMs: number): boolean {
    if (!this.entries.delete(client)) return false;
    if (this.untold.delete(client)) this.waiting.delete(client);
    else this.waiting.set(client, { client, graceMs });
    return true;
  }

  /** True if one of these users has a client here. */
  hasAnyOf(users: ReadonlySet<string>): boolean {
    for (const { user } of this.entries.values()) if (users.has(user)) return true;
    return false;
  }

  /** Lets everything wait to be sent, because the engine knows nothing of us. */
  startAgain(): void {
    this.waiting.clear();
    for (const [client, entry] of this.entries) {
      this.waiting.set(client, entry);
      this.untold.add(client);
    }
  }

  /** True if a change waits that may be sent. */
  has(leavesOnly: boolean): boolean {
    return this.peek(1, leavesOnly).length > 0;
  }

  /** Takes the oldest changes out, to be sent. */
  take(most: number, leavesOnly: boolean): PresenceChange[] {
    const changes = this.peek(most, leavesOnly);
    for (const { client } of changes) {
      this.waiting.delete(client);
      this.untold.delete(client);
    }
    return changes;
  }

  /** Lets changes with an unknown outcome wait again, unless something newer came. */
  putBack(changes: readonly PresenceChange[]): void {
    for (const change of changes) {
      if (this.waiting.has(change.client)) continue;
      const current = this.entries.has(change.client) === 'user' in change;
      if (current) this.waiting.set(change.client, change);
    }
  }

  /** Queues everything that the engine knows differently, and on another history also the clients' meta. */
  compare({ entries: stored, replicationId }: StoredEntries, graceMs: number): void {
    const mayLackMetas = this.history !== replicationId;
    this.history = replicationId;
    for (const client of stored.keys()) {
      if (!this.entries.has(client) && !this.waiting.has(client))
        this.waiting.set(client, { client, graceMs });
    }
    for (const [client, entry] of this.entries) {
      const mayBeLost = mayLackMetas && entry.meta !== undefined;
      if ((mayBeLost || stored.get(client) !== entry.user) && !this.waiting.has(client))
        this.waiting.set(client, entry);
    }
  }

  private peek(most: number, leavesOnly: boolean): PresenceChange[] {
    const found: PresenceChange[] = [];
    for (const change of this.waiting.values()) {
      if (found.length === most) break;
      if (!leavesOnly || !('user' in change)) found.push(change);
    }
    return found;
  }
}
