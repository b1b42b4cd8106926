import type { PresenceLook } from './presence-store.js';

/**
 * Remembers what a node has seen of the engine and of the other nodes' leases, look by look, and decides if a lease
 * that ended counts as the death of a node (R21).
 *
 * After a restart of the engine all leases have ended although all nodes live, and after a pause this node does not
 * know what happened meanwhile. So nothing counts before this node has seen one engine, with one history, without
 * interruption for two lease periods.
 */
export class PresenceWatch {
  private seenSince?: number;
  private last?: PresenceLook;
  private lastAt = 0;
  /** Owners without a lease, and in how many looks in a row. */
  private missing = new Map<string, number>();
  private readonly leaseEnds = new Map<string, number>();

  constructor(private readonly leaseMs: number) {}

  /** @param at time of the look, ms on this process' steady clock */
  saw(look: PresenceLook, at: number): void {
    if (!this.continues(look, at)) this.interrupted();
    this.seenSince ??= at;
    this.last = look;
    this.lastAt = at;
    const missing = new Map<string, number>();
    for (const { owner, leaseEndsAt } of look.owners) {
      if (leaseEndsAt !== undefined) this.leaseEnds.set(owner, leaseEndsAt);
      if (leaseEndsAt === undefined || leaseEndsAt <= look.now) {
        missing.set(owner, (this.missing.get(owner) ?? 0) + 1);
      }
    }
    this.missing = missing;
    const owners = new Set(look.owners.map(({ owner }) => owner));
    for (const owner of this.leaseEnds.keys()) if (!owners.has(owner)) this.leaseEnds.delete(owner);
  }

  /** Notes that a look failed, or that the engine was away. */
  interrupted(): void {
    delete this.seenSince;
    delete this.last;
    this.missing.clear();
  }

  /** True if one engine has been seen for long enough, up to now. */
  isSteady(now: number): boolean {
    if (this.seenSince === undefined || now - this.lastAt > this.leaseMs / 2) return false;
    return now - this.seenSince >= 2 * this.leaseMs;
  }

  /** True if an owner's node is certainly taken for dead: it had no lease in two looks in a row. */
  isDead(owner: string): boolean {
    return (this.missing.get(owner) ?? 0) >= 2;
  }

  /** Owners of the last look. */
  get owners(): readonly string[] {
    return this.last?.owners.map(({ owner }) => owner) ?? [];
  }

  /** When the owner's node was last heard of, ms since 1970 by the engine's clock; 0 if it never was. */
  lastHeartbeat(owner: string): number {
    const end = this.leaseEnds.get(owner);
    return end === undefined ? 0 : end - this.leaseMs;
  }

  /** The engine's clock now, ms since 1970. */
  engineTime(now: number): number {
    return Math.floor((this.last?.now ?? 0) + now - this.lastAt);
  }

  private continues({ replicationId, now }: PresenceLook, at: number): boolean {
    if (!this.last) return true;
    const passed = at - this.lastAt;
    const most = this.leaseMs / 2;
    if (this.last.replicationId !== replicationId || passed > most) return false;
    // A clock that jumps ends leases that are held.
    return Math.abs(now - this.last.now - passed) <= most;
  }
}
