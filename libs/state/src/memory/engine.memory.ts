import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { callAll } from '@wss/redis';
import type { RoomPart } from '../store/room-store.js';
import { StoreError } from '../store/store-errors.js';
import { emptyRoom, expire, forgetMeta, holdRoom, isGone, type MemoryRoom } from './room.memory.js';

/** Number of rooms from which on ended ones are looked for. */
const MIN_SWEEP = 1_024;

/** One session, as Redis keeps it. */
export interface MemorySession {
  user: string;
  generation: number;
  endsAt: number;
  revoked: boolean;
  /** Time until which a node has claimed the announcement of its end. */
  claimedUntil?: number;
  /** The end up to which the records of its commands were extended last. */
  lanesEndAt?: number;
  readonly lanes: Set<string>;
  readonly rooms: Set<string>;
  /** True if its numbered commands in some rooms are not kept any more. */
  hasForgotten?: true;
}

/** Lease of one node, as Redis keeps it. */
export interface MemoryNode {
  endsAt: number;
  /** The node's description of itself, JSON. */
  record: string;
}

/** One job of a group of nodes, as Redis keeps it. */
export interface MemoryJob {
  readonly text: string;
  readonly event: string;
  /** When a node that can't handle it met it, if no other did since, ms since 1970. */
  unhandledSince?: number;
  /** The node that has taken it. */
  holder?: string;
  takenAt: number;
  deliveries: number;
}

/** One job that was given up. */
export interface MemoryDeadJob {
  readonly text: string;
  readonly event: string;
  readonly reason: string;
  readonly attempts: number;
  /** Ms since 1970. */
  readonly at: number;
}

/** The users in one room, as the Lua scripts keep it in Redis. */
export interface MemoryPresence {
  version: number;
  /** Ms since 1970. */
  announcedAt: number;
  /** History at the last announcement. */
  replicationId: string;
  /** Users who are here, in the order of their UTF-8 bytes. */
  users: string[];
  /** User → number of clients. */
  readonly clients: Map<string, number>;
  /** User → JSON. */
  readonly metas: Map<string, string>;
  /** User → meta of its clients, the newest last. */
  readonly told: Map<string, { readonly owner: string; readonly client: string; readonly meta: string }[]>;
  /** Users whose arrival is to be announced → when they came, ms since 1970. */
  readonly coming: Map<string, number>;
  /** Users whose departure is to be announced → from when on. */
  readonly going: Map<string, number>;
  /** Owner → client → user. */
  readonly entries: Map<string, Map<string, string>>;
  /** Owners that may not write → until when this is remembered. */
  readonly dead: Map<string, number>;
}

/** The data that {@link MemoryEngine.promote} brings back. */
type Replica = Pick<MemoryEngine, 'rooms' | 'presence' | 'presenceRooms'>;

/**
 * Shared data of all nodes in this process: rooms and channels, with the same semantics as Redis.
 *
 * It keeps nothing beyond the process. Tests simulate faults with it: a lost reply, a failover, and a failover
 * that loses the tail of the history.
 */
export class MemoryEngine {
  rooms = new Map<string, MemoryRoom>();
  /** By room. */
  presence = new Map<string, MemoryPresence>();
  /** Rooms in which an owner of presence entries may have some. */
  presenceRooms = new Map<string, Set<string>>();
  /** Owner of presence entries → the node that cleans up behind it, and until when. */
  readonly presenceClaims = new Map<string, { readonly by: string; readonly until: number }>();
  /**
   * Highest version of all announcements; a failover does not take it back, just as it does not take back Redis'
   * clock.
   */
  presenceVersion = 0;
  readonly sessions = new Map<string, MemorySession>();
  readonly nodes = new Map<string, MemoryNode>();
  /** Hash → contract of the nodes that name it, JSON. */
  readonly contracts = new Map<string, string>();
  /** Group → its jobs, in order. */
  readonly jobs = new Map<string, Map<string, MemoryJob>>();
  /** Group → jobs that were given up, in order. */
  readonly deadJobs = new Map<string, MemoryDeadJob[]>();
  readonly channels = new MemoryChannels();
  /** The secret that the nodes of this process sign with. */
  readonly secret = newReplicationId();
  /** Changes whenever the data's history may have changed, like Redis' replication id. */
  replicationId = newReplicationId();

  private jobsAdded = 0;
  private sweepAt = MIN_SWEEP;
  private replica?: Replica;
  private repliesToLose = 0;
  private callsToFail = 0;
  private down = false;

  constructor(
    /** The engine's clock, ms since 1970. */
    readonly now: () => number = steadyTime,
  ) {}

  /** The state of a room, created if it does not exist. Now and then ended rooms are forgotten. */
  room(name: string): MemoryRoom {
    const known = this.rooms.get(name);
    if (known) return known;
    if (this.rooms.size >= this.sweepAt) this.sweepRooms();
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

  private sweepRooms(): void {
    for (const [name, room] of this.rooms) {
      expire(room, this.now());
      if (isGone(room)) this.rooms.delete(name);
    }
    this.sweepAt = Math.max(MIN_SWEEP, 2 * this.rooms.size);
  }

  /** Returns an id for a new job. */
  nextJobEntry(): string {
    return String(++this.jobsAdded);
  }

  /** From now on a failover brings back the data of this moment: later changes get lost. */
  pauseReplication(): void {
    const { rooms, presence, presenceRooms } = this;
    this.replica = structuredClone({ rooms, presence, presenceRooms });
  }

  /** Fails over to the replica; without {@link pauseReplication} before, nothing is lost. */
  promote(): void {
    Object.assign(this, this.replica);
    delete this.replica;
    this.replicationId = newReplicationId();
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
