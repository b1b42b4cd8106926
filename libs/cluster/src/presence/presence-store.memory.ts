import type { MemoryEngine } from '@wss/state';
import { NodeTable } from '../nodes/node-table.memory.js';
import {
  announce,
  dueIn,
  emptyPresence,
  endGrace,
  enter,
  leave,
  type MemoryPresence,
  PresenceClaimTable,
  PresenceRoomTable,
  PresenceTable,
} from './presence-table.memory.js';
import {
  nodeOfOwner,
  type PresenceAnnounced,
  type PresenceLook,
  PresenceStore,
  type PresenceSweep,
  type PresenceSwept,
  type PresenceUpdate,
  type PresenceUpdated,
  type StoredEntries,
  type StoredUsers,
  SWEEP_ENTRIES,
} from './presence-store.js';
import { indexOfUser } from './presence-order.js';

const DEAD_MS = 3_600_000;

/** Keeps presence in this process, by the rules of the Lua scripts; one contract suite holds both to them. */
export class MemoryPresenceStore extends PresenceStore {
  private readonly table = this.engine.table(PresenceTable);
  private readonly ownerRooms = this.engine.table(PresenceRoomTable);
  private readonly claims = this.engine.table(PresenceClaimTable);
  private readonly nodes = this.engine.table(NodeTable);

  constructor(
    private readonly engine: MemoryEngine,
    /** Channel of a room's announcements. */
    private readonly channelOf: (room: string) => string,
  ) {
    super();
  }

  addRoom(owner: string, room: string): Promise<void> {
    return this.engine.call(() => {
      const rooms = this.ownerRooms.rows.get(owner) ?? new Set();
      this.ownerRooms.rows.set(owner, rooms.add(room));
    });
  }

  removeRoom(owner: string, room: string): Promise<void> {
    return this.engine.call(() => void this.ownerRooms.rows.get(owner)?.delete(room));
  }

  roomsOf(owner: string, most: number): Promise<string[]> {
    return this.engine.call(() => [...(this.ownerRooms.rows.get(owner) ?? [])].slice(0, most));
  }

  removeOwner(owner: string): Promise<void> {
    return this.engine.call(() => {
      if (this.ownerRooms.rows.get(owner)?.size === 0) this.ownerRooms.rows.delete(owner);
      this.claims.rows.delete(owner);
    });
  }

  update({
    room,
    owner,
    changes,
    pauseMs,
    heardForMs,
    withoutGrace,
  }: PresenceUpdate): Promise<PresenceUpdated> {
    return this.engine.call(() => {
      const now = this.engine.now();
      if (now < (this.table.rows.get(room)?.dead.get(owner) ?? 0)) return { status: 'dead' };
      return this.change(room, { pauseMs, heardForMs }, (presence) => {
        for (const change of changes) {
          if ('user' in change) enter(presence, owner, change, now);
          else leave(presence, { owner, client: change.client }, { now, goneAt: now + change.graceMs });
        }
        if (withoutGrace === undefined) return { status: 'done' };
        endGrace(presence, withoutGrace, now);
        return { status: 'done', ...(presence.clients.has(withoutGrace) && { isHere: true }) };
      });
    });
  }

  sweep({ room, owner, goneAt, pauseMs }: PresenceSweep): Promise<PresenceSwept> {
    return this.engine.call(() =>
      this.change(room, { pauseMs }, (presence) => {
        const now = this.engine.now();
        for (const [dead, until] of presence.dead) if (until <= now) presence.dead.delete(dead);
        presence.dead.set(owner, now + DEAD_MS);
        const clients = [...(presence.entries.get(owner)?.keys() ?? [])].slice(0, SWEEP_ENTRIES);
        for (const client of clients)
          leave(presence, { owner, client }, { now, goneAt: Math.max(now, goneAt) });
        return { more: presence.entries.has(owner) };
      }),
    );
  }

  inspect(room: string, owner: string): Promise<StoredEntries> {
    return this.engine.call(() => {
      const { replicationId } = this.engine;
      const entries = this.table.rows.get(room)?.entries;
      return { replicationId, entries: new Map(entries?.get(owner)), owners: [...(entries?.keys() ?? [])] };
    });
  }

  list(room: string, after: string, most: number): Promise<StoredUsers> {
    return this.engine.call(() => {
      const { version, users, metas } = this.table.rows.get(room) ?? emptyPresence();
      const from = after === '' ? 0 : indexOfUser(users, after);
      const first = users[from] === after && after !== '' ? from + 1 : from;
      const found = users.slice(first, first + most).map((user) => {
        const meta = metas.get(user);
        return { user, ...(meta !== undefined && { meta }) };
      });
      return { version, count: users.length, users: found };
    });
  }

  count(room: string): Promise<number> {
    return this.engine.call(() => this.table.rows.get(room)?.users.length ?? 0);
  }

  look(): Promise<PresenceLook> {
    return this.engine.call(() => {
      const { replicationId } = this.engine;
      const owners = [...this.ownerRooms.rows.keys()].map((owner) => {
        const lease = this.nodes.rows.get(nodeOfOwner(owner));
        return { owner, ...(lease && { leaseEndsAt: lease.endsAt }) };
      });
      return { replicationId, now: this.engine.now(), owners };
    });
  }

  claim(owner: string, by: string, ms: number): Promise<boolean> {
    return this.engine.call(() => {
      const now = this.engine.now();
      const held = this.claims.rows.get(owner);
      if (held && held.by !== by && held.until > now) return false;
      this.claims.rows.set(owner, { by, until: now + ms });
      return true;
    });
  }

  /** Runs one step on a room and announces what is due; an empty room leaves nothing. */
  private change<T extends object>(
    room: string,
    times: Pick<PresenceUpdate, 'pauseMs' | 'heardForMs'>,
    step: (presence: MemoryPresence) => T,
  ): T & PresenceAnnounced {
    const { engine, table } = this;
    const presence = table.rows.get(room) ?? emptyPresence();
    const result = step(presence);
    const now = engine.now();
    const freshVersion = Math.max(now * 1_000, table.highestVersion + 1);
    const moment = { now, replicationId: engine.replicationId, freshVersion, ...times };
    const message = announce(presence, moment);
    const isRefused =
      message !== undefined && engine.channels.publish(this.channelOf(room), message) === undefined;
    table.highestVersion = Math.max(table.highestVersion, presence.version);
    const dueInMs = dueIn(presence, moment);
    this.keep(room, presence);
    return { ...result, ...(dueInMs !== undefined && { dueInMs }), ...(isRefused && { isRefused }) };
  }

  private keep(room: string, presence: MemoryPresence): void {
    const { rows } = this.table;
    if (presence.users.length === 0) {
      Object.assign(presence, { version: 0, announcedAt: 0, replicationId: '' });
    }
    if (presence.users.length > 0 || presence.dead.size > 0) rows.set(room, presence);
    else rows.delete(room);
  }
}
