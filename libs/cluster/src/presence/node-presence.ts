import { Logger } from '@nestjs/common';
import { settledWithin } from '@wss/protocol';
import { HEARTBEAT_MS, LEASE_MS } from '../nodes/lease-keeper.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { PresenceDelta } from '../rooms/room-message.js';
import { AttendedRoom, type PresenceHost, type PresenceTimes } from './presence-room.js';
import { ownerOf, type PresenceStore } from './presence-store.js';
import { PresenceExits } from './presence-exits.js';
import { PresenceSweeper } from './presence-sweeper.js';

/** Dependencies and settings of a node's presence. */
export interface NodePresenceOptions extends Partial<PresenceTimes> {
  readonly store: PresenceStore;
  /** Holds this node's lease: without it no entries are added. */
  readonly registry: NodeRegistry;
  /** Pause between two looks at the other nodes, ms. Default: that of heartbeats. */
  readonly heartbeatMs?: number;
  /** Duration of the nodes' leases, ms; that of the registry. Default 5,000. */
  readonly leaseMs?: number;
}

/** Longest wait for changes to reach the engine before a list is read, ms. */
const SETTLE_MS = 1_000;
/** Announcements that a node sends to its clients, per ms, when users come and go in all rooms all the time. */
const FRAMES_PER_MS = 10;
/** Longest pause between two announcements of a room because of this node's clients, ms. */
const LONGEST_PAUSE_MS = 2_000;
/** Longest wait for the last changes when the node stops, ms. */
const CLOSE_MS = 2_000;

/**
 * This node's part of presence: which of its clients are in which rooms. Changes take effect in the engine as soon as
 * it can be reached; a node that was taken for dead brings everything in again as a new incarnation.
 */
export class NodePresence implements PresenceHost {
  private readonly logger = new Logger('Presence');
  private readonly rooms = new Map<string, AttendedRoom>();
  private readonly sweeper: PresenceSweeper;
  private readonly store: PresenceStore;
  private readonly registry: NodeRegistry;
  private readonly times: PresenceTimes;
  private readonly exits: PresenceExits;
  private incarnation = 0;
  /** Number of clients in rooms; a client in two rooms counts twice. */
  private clients = 0;
  private closing = false;

  constructor(options: NodePresenceOptions) {
    const { store, registry, heartbeatMs = HEARTBEAT_MS, leaseMs = LEASE_MS } = options;
    this.store = store;
    this.registry = registry;
    const { graceMs = 5_000, pauseMs = 250, reconcileMs = 60_000 } = options;
    const { lingerMs = Math.min(5_000, Math.max(graceMs, pauseMs)) } = options;
    this.times = { graceMs, pauseMs, lingerMs, reconcileMs };
    const owner = (): string => this.owner;
    const isOpen = (): boolean => !this.closing;
    const attend = (room: string): AttendedRoom => this.attend(room);
    const { nodeId } = registry.self;
    this.exits = new PresenceExits({ store, attend, isOpen, leaseMs, heartbeatMs });
    this.sweeper = new PresenceSweeper({
      nodeId,
      store,
      registry,
      owner,
      attend,
      heartbeatMs,
      leaseMs,
      graceMs,
      onNewHistory: () => this.reconcile(),
    });
  }

  /** Begins to clean up behind other nodes, too. */
  start(): void {
    this.registry.onRenewed(() => this.reconcile());
    this.sweeper.start();
  }

  /** A client of this node came into a room; repeating it changes nothing. */
  entered(room: string, client: { readonly id: string; readonly user: string }, meta?: object): void {
    const json = meta && JSON.stringify(meta);
    const entry = { client: client.id, user: client.user, ...(json && { meta: json }) };
    if (this.attend(room).enter(entry)) this.clients++;
  }

  /** A client of this node left a room on purpose. */
  left(room: string, clientId: string): void {
    this.leave(room, clientId, 0);
  }

  /**
   * A client of this node was cut off; its user counts as present during the grace period, in case the client comes
   * back.
   */
  cutOff(room: string, clientId: string): void {
    this.leave(room, clientId, this.times.graceMs);
  }

  /** The engine's history of a room may have changed. */
  historyChanged(room: string): void {
    this.rooms.get(room)?.reconcile();
  }

  /** All rooms may have changed without this node. */
  reconcile(): void {
    for (const room of this.rooms.values()) room.reconcile();
  }

  /** Notes that announcements of these rooms are heard again; some may have been missed. */
  heardAgain(isHeard: (room: string) => boolean): void {
    for (const room of this.rooms.values()) if (isHeard(room.room)) room.heardAgain();
  }

  /** Checks an announcement: it must not say of a user who is here that he left. */
  announced(room: string, json: string): void {
    const attended = this.rooms.get(room);
    if (!attended || json.endsWith('"left":[]}')) return;
    const { left } = JSON.parse(json) as PresenceDelta;
    if (attended.hasAnyOf(new Set(left))) attended.reconcile();
  }

  /** Watches the live nodes from the start again, because the engine's clock was set (R21). */
  clockStepped(): void {
    this.sweeper.clockStepped();
  }

  /** Resolves when the engine knows everything that happened in a room up to now, or after a second. */
  async settled(room: string): Promise<void> {
    const attended = this.rooms.get(room);
    if (attended) await settledWithin(attended.settled(), SETTLE_MS);
  }

  /**
   * Lets a user leave a room at once who counts as present without a connection, because of a grace period or on a node
   * that gives no sign of life.
   * @param everywhere takes out the entries on other nodes, too; one that has the user all the same brings him in again
   * @returns resolves when no grace period counts any more; never rejects
   */
  putOut(room: string, user: string, everywhere: boolean): Promise<void> {
    return this.exits.putOut(room, { user, everywhere });
  }

  /** Number of rooms that the node looks after. */
  get size(): number {
    return this.rooms.size;
  }

  /**
   * Stops. All clients must have gone before. Their users count as present during the grace period, and the rooms
   * stay in this node's list, so that another node takes them over when the lease has been dropped.
   */
  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    this.sweeper.close();
    await settledWithin(Promise.all([...this.rooms.values()].map((room) => room.settled())), CLOSE_MS);
    for (const room of this.rooms.values()) room.close();
  }

  /** Part of {@link PresenceHost}. */
  get owner(): string {
    return ownerOf(this.registry.self.nodeId, this.incarnation);
  }

  /** Part of {@link PresenceHost}. */
  get alive(): boolean {
    return this.registry.holdsLease;
  }

  /** Part of {@link PresenceHost}: each announcement goes to each client. */
  get pauseMs(): number {
    return Math.max(this.times.pauseMs, Math.min(Math.floor(this.clients / FRAMES_PER_MS), LONGEST_PAUSE_MS));
  }

  /** Part of {@link PresenceHost}. */
  refused(owner: string): void {
    if (owner !== this.owner || this.closing) return;
    this.incarnation++;
    this.logger.warn(`this node was taken for dead; it brings its clients in again as ${this.owner}`);
    for (const room of this.rooms.values()) room.startAgain();
  }

  /** Part of {@link PresenceHost}. */
  sawOwners(room: AttendedRoom, owners: readonly string[]): void {
    this.sweeper.check(room, owners).catch((error: Error) => {
      this.logger.debug(`owners in ${room.room} can't be checked now: ${error.message}`);
    });
  }

  /** Part of {@link PresenceHost}. */
  detached(room: AttendedRoom): void {
    if (this.rooms.get(room.room) === room) this.rooms.delete(room.room);
  }

  private leave(room: string, clientId: string, graceMs: number): void {
    if (this.rooms.get(room)?.leave(clientId, graceMs)) this.clients--;
  }

  private attend(name: string): AttendedRoom {
    let room = this.rooms.get(name);
    if (!room) {
      room = new AttendedRoom(name, this.store, this, this.times);
      this.rooms.set(name, room);
    }
    return room;
  }
}
