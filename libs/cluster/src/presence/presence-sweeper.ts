import { Logger } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import type { AttendedRoom } from './presence-room.js';
import { nodeOfOwner, type PresenceStore } from './presence-store.js';
import { PresenceWatch } from './presence-watch.js';

/** Number of rooms that are cleaned up at the same time. */
const PARALLEL_ROOMS = 16;

/** Dependencies and settings of a sweeper. */
export interface PresenceSweeperOptions {
  readonly nodeId: string;
  readonly store: PresenceStore;
  readonly registry: {
    readonly holdsLease: boolean;
    alive(): Promise<readonly { readonly nodeId: string }[]>;
  };
  /** The node's present incarnation. */
  readonly owner: () => string;
  /** Returns the room, attended by this node. */
  readonly attend: (room: string) => AttendedRoom;
  /** Pause between two looks, ms. */
  readonly heartbeatMs: number;
  /** How long a node's lease holds after a heartbeat, ms. */
  readonly leaseMs: number;
  /** How long a user whose node died counts as present, from the node's last heartbeat, ms. */
  readonly graceMs: number;
  /** Called when the engine is seen on another history than before: all rooms may have changed. */
  readonly onNewHistory: () => void;
}

/**
 * Cleans up behind nodes that died and behind former incarnations of this one: their entries are removed, each by one
 * node, and this node makes the remaining announcements in their rooms.
 */
export class PresenceSweeper {
  private readonly logger = new Logger('Presence');
  private readonly faults = new LogGate((line) => this.logger.warn(line));
  private readonly watch: PresenceWatch;
  private readonly sweeping = new Set<string>();
  private timer?: NodeJS.Timeout;
  private looking?: Promise<void>;
  private replicationId?: string;
  private closed = false;

  constructor(private readonly options: PresenceSweeperOptions) {
    this.watch = new PresenceWatch(options.leaseMs);
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), this.options.heartbeatMs).unref();
    this.tick();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  /** Forgets ended leases, because the engine's clock was set. */
  clockStepped(): void {
    this.watch.interrupted();
  }

  /** An owner has entries in a room: nobody cleans up behind it if its own lists are lost. */
  async check(room: AttendedRoom, owners: readonly string[]): Promise<void> {
    const unknown = owners.filter((owner) => !this.watch.owners.includes(owner) && !this.isOwn(owner));
    const former = owners.filter((owner) => this.isOwn(owner) && owner !== this.options.owner());
    const lost = unknown.length > 0 ? await this.withoutNode(unknown) : [];
    const goneAt = this.watch.engineTime(performance.now()) + this.options.graceMs;
    for (const owner of [...former, ...lost]) await room.sweep(owner, goneAt);
  }

  private async withoutNode(owners: readonly string[]): Promise<string[]> {
    if (!this.watch.isSteady(performance.now()) || !this.options.registry.holdsLease) return [];
    const alive = new Set((await this.options.registry.alive()).map(({ nodeId }) => nodeId));
    return owners.filter((owner) => !alive.has(nodeOfOwner(owner)));
  }

  private tick(): void {
    this.looking ??= this.look().finally(() => delete this.looking);
  }

  private async look(): Promise<void> {
    const startedAt = performance.now();
    try {
      const look = await this.options.store.look();
      this.watch.saw(look, (startedAt + performance.now()) / 2);
      const { replicationId } = look;
      if (this.replicationId !== undefined && this.replicationId !== replicationId)
        this.options.onNewHistory();
      this.replicationId = replicationId;
    } catch {
      return this.watch.interrupted();
    }
    for (const owner of this.watch.owners) {
      if (this.mayClean(owner) && !this.sweeping.has(owner)) void this.clean(owner);
    }
  }

  /** Checked before every step: after a pause this node knows nothing any more. */
  private mayClean(owner: string): boolean {
    const { registry, owner: present } = this.options;
    if (this.closed || !registry.holdsLease) return false;
    if (this.isOwn(owner)) return owner !== present();
    return this.watch.isSteady(performance.now()) && this.watch.isDead(owner);
  }

  private isOwn(owner: string): boolean {
    return nodeOfOwner(owner) === this.options.nodeId;
  }

  private async clean(owner: string): Promise<void> {
    this.sweeping.add(owner);
    try {
      await this.cleanRooms(owner);
    } catch (error) {
      this.faults.report('engine', `presence of ${owner} is not cleaned up yet: ${(error as Error).message}`);
    } finally {
      this.sweeping.delete(owner);
    }
  }

  private async cleanRooms(owner: string): Promise<void> {
    const { store, nodeId, leaseMs } = this.options;
    let count = 0;
    while (this.mayClean(owner)) {
      if (!(await store.claim(owner, nodeId, leaseMs))) return;
      const rooms = await store.roomsOf(owner, PARALLEL_ROOMS);
      if (rooms.length === 0) {
        // This comes last, so that a failed step is found again.
        await store.removeOwner(owner);
        this.logger.log(`presence: cleaned up behind ${owner}, in ${count} rooms`);
        return;
      }
      await Promise.all(rooms.map((room) => this.cleanRoom(owner, room)));
      count += rooms.length;
    }
  }

  private async cleanRoom(owner: string, room: string): Promise<void> {
    const { store, attend, graceMs } = this.options;
    if (!this.mayClean(owner)) return;
    const since = this.isOwn(owner)
      ? this.watch.engineTime(performance.now())
      : this.watch.lastHeartbeat(owner);
    await attend(room).sweep(owner, since + graceMs);
    await store.removeRoom(owner, room);
  }
}
