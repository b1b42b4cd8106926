import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { callAll } from '@wss/redis';
import type { RoomPart } from '../store/room-store.js';
import { StoreError } from '../store/store-errors.js';
import {
  emptyRoom,
  expire,
  expireKeys,
  forgetMeta,
  holdRoom,
  isGone,
  type MemoryRoom,
  RoomTable,
} from './room.memory.js';
import { decodeSnapshot, encodeSnapshot } from './snapshot.memory.js';
import type { MemoryTable } from './table.memory.js';

/** The class by which a library declares a table. */
type TableType = new () => MemoryTable<unknown>;

/**
 * Shared data of all nodes in this process: rooms, channels and the tables of other libraries' stores, with the same
 * semantics as Redis.
 *
 * It keeps nothing beyond the process, unless the owner of the process carries a {@link snapshot} over. Tests simulate
 * faults with it: a lost reply, a failover, and a failover that loses the tail of the history.
 */
export class MemoryEngine {
  readonly channels = new MemoryChannels();
  /** Changes whenever the data's history may have changed, like Redis' replication id. */
  replicationId = newReplicationId();

  /** By their classes. */
  private readonly tables = new Map<TableType, MemoryTable<unknown>>();
  /** Tables of a snapshot that were not asked for yet, by their names. */
  private readonly restored = new Map<string, object>();
  private readonly roomTable = this.table(RoomTable);
  /** Rows that {@link promote} brings back. */
  private replica?: Map<MemoryTable<unknown>, Map<string, unknown>>;
  private repliesToLose = 0;
  private callsToFail = 0;
  private down = false;

  constructor(
    /** The engine's clock, ms since 1970. */
    readonly now: () => number = steadyTime,
  ) {}

  /** The engine's table of this kind, created if it does not exist. */
  table<Table extends MemoryTable<unknown>>(type: new () => Table): Table {
    const known = this.tables.get(type);
    if (known) return known as Table;
    const table = new type();
    this.tables.set(type, table);
    this.takeUp(table);
    return table;
  }

  /**
   * All that the engine holds, for {@link restore}: rooms, sessions and their secret, presence, leases, jobs, and the
   * instants at which each ends. Subscriptions and simulated faults are no part of it.
   */
  snapshot(): Uint8Array {
    const { replicationId, restored } = this;
    const kept = [...this.tables.values()].map(({ name, ...state }) => [name, state] as const);
    return encodeSnapshot({ now: this.now(), replicationId, tables: new Map([...restored, ...kept]) });
  }

  /**
   * An engine that goes on where another one was: with the same data, on the same history, under a clock that is not
   * behind the other one's. Only the last snapshot may be taken up, and once: otherwise nodes and clients know things
   * that the engine has forgotten, and the history says that nothing was lost.
   * @param clock ms since 1970
   * @throws BadSnapshot when the bytes are damaged, or not of this version
   */
  static restore(snapshot: Uint8Array, clock = steadyTime): MemoryEngine {
    const { now, replicationId, tables } = decodeSnapshot(snapshot);
    const aheadMs = Math.max(0, now - clock());
    const engine = new MemoryEngine(() => clock() + aheadMs);
    engine.replicationId = replicationId;
    for (const [name, state] of tables) engine.restored.set(name, state);
    engine.takeUp(engine.roomTable);
    return engine;
  }

  private takeUp(table: MemoryTable<unknown>): void {
    Object.assign(table, this.restored.get(table.name));
    this.restored.delete(table.name);
  }

  get rooms(): Map<string, MemoryRoom> {
    return this.roomTable.rows;
  }

  /** The state of a room, created if it does not exist. Now and then ended rooms are forgotten. */
  room(name: string): MemoryRoom {
    const known = this.rooms.get(name);
    if (known) return known;
    this.roomTable.sweep((each) => {
      expire(each, this.now());
      expireKeys(each, this.now());
      return isGone(each);
    });
    const room = emptyRoom();
    this.rooms.set(name, room);
    return room;
  }

  /** The present state of a room, if it has any. */
  known(name: string): MemoryRoom | undefined {
    const room = this.rooms.get(name);
    if (room) expire(room, this.now());
    return room;
  }

  /** Loses a part of a room, like a Redis that evicts a key. */
  losePart(name: string, part: RoomPart): void {
    const room = this.rooms.get(name);
    if (!room) return;
    if (part === 'meta') forgetMeta(room);
    else if (part === 'log') room.log.length = 0;
    else room[part].clear();
  }

  /** Keeps the record of a lane until this time, and with it the room's meta (R36). */
  keepLane(name: string, id: string, until: number): void {
    const room = this.known(name);
    const lane = room?.lanes.get(id);
    if (!lane) return;
    lane.expiresAt = until;
    if (lane.birth === room!.birth) holdRoom(room!, until);
  }

  /** From now on a failover brings back the data of this moment: later changes get lost. */
  pauseReplication(): void {
    this.replica = new Map(this.replicated().map((table) => [table, structuredClone(table.rows)]));
  }

  /** Fails over to the replica; without {@link pauseReplication} before, nothing is lost. */
  promote(): void {
    const { replica } = this;
    // The replica has nothing of a table that came into being later.
    if (replica) for (const table of this.replicated()) table.rows = replica.get(table) ?? new Map();
    delete this.replica;
    this.replicationId = newReplicationId();
  }

  private replicated(): MemoryTable<unknown>[] {
    return [...this.tables.values()].filter(({ isReplicated }) => isReplicated);
  }

  /** The next calls are carried out, but their answers never arrive. */
  loseReplies(count: number): void {
    this.repliesToLose = count;
  }

  /** The next calls are carried out, but answered with an error, like that of a script that fails at its end. */
  failCalls(count: number): void {
    this.callsToFail = count;
  }

  /** While out of reach every call fails and nothing is done. */
  setReachable(reachable: boolean): void {
    this.down = !reachable;
  }

  /**
   * Runs one call as a round trip: it takes effect at once, its answer comes later.
   * @throws StoreError while out of reach or when the answer is to be lost.
   */
  async call<T>(work: () => T): Promise<T> {
    if (this.down) throw new StoreError('unavailable', 'the engine is out of reach');
    const result = work();
    await Promise.resolve();
    if (this.repliesToLose > 0) {
      this.repliesToLose--;
      throw new StoreError('unknown', 'the answer was lost');
    }
    if (this.callsToFail > 0) {
      this.callsToFail--;
      throw new StoreError('failed', 'the script failed at its end');
    }
    return result;
  }
}

/** Channels between the nodes of one process: at most once, per channel in order of publication. */
export class MemoryChannels {
  /** True if publications are refused, like by a Redis whose user may not publish. */
  refusing = false;

  private readonly logger = new Logger('Channels');
  private readonly listeners = new Map<string, Set<(message: string) => void>>();

  subscribe(channel: string, listener: (message: string) => void): void {
    const set = this.listeners.get(channel) ?? new Set();
    this.listeners.set(channel, set.add(listener));
  }

  unsubscribe(channel: string, listener: (message: string) => void): void {
    const set = this.listeners.get(channel);
    set?.delete(listener);
    if (set?.size === 0) this.listeners.delete(channel);
  }

  /**
   * Delivers later in this turn of the event loop, as a network would: never while the publisher is still running. A listener that
   * throws costs only itself.
   * @returns the number of listeners; undefined if the publication is refused
   */
  publish(channel: string, message: string): number | undefined {
    if (this.refusing) return undefined;
    queueMicrotask(() => {
      callAll(this.listeners.get(channel) ?? [], message, this.logger);
    });
    return this.listeners.get(channel)?.size ?? 0;
  }
}

/** This process' clock as of its start: a jump of the machine's clock does not move it. */
function steadyTime(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}

function newReplicationId(): string {
  return randomBytes(20).toString('hex');
}
