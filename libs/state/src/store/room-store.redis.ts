import type { ChainableCommander, Redis } from 'ioredis';
import {
  isDenied,
  LuaScript,
  type DataLinks,
  type Fence,
  type KeyGroup,
  type RedisKeys,
  type RoomKeys,
  toRedisError,
} from '@wss/redis';
import { LossReport } from './lost-parts.js';
import { newNonce } from './nonce.js';
import { decodeCommit, encodeCommit } from './commit-format.js';
import { decodeHistory, encodeHistory } from './history-format.js';
import { decodeResume, encodeResume } from './resume-format.js';
import {
  type CommitReply,
  type CommitRequest,
  type HistoryReply,
  type HistoryRequest,
  type ResumeReply,
  type ResumeRequest,
  RoomStore,
  type RoomTop,
} from './room-store.js';
import { StoreError, toStoreError, UnknownFormat } from './store-errors.js';
import { UnendedRooms } from './unended-rooms.js';

const file = (name: string): URL => new URL(`./lua/room${name}.lua`, import.meta.url);
const life = [file(''), file('_ends'), file('_life')] as const;

/** Lua texts of the store; tests may pass changed ones to check that faults are caught. */
export interface RoomScripts {
  readonly commit: LuaScript<string | string[]>;
  readonly resume: LuaScript<(string | number)[]>;
  readonly history: LuaScript<(string | number)[]>;
  readonly leave: LuaScript<number>;
  readonly keep: LuaScript<number>;
  /**
   * Takes the keys of {@link laneKeys}; a nonce, the time until which the record of the lane is kept, ms since 1970,
   * and "+" or "".
   */
  readonly keepLane: LuaScript<number>;
}

/** The scripts as shipped. */
export const ROOM_SCRIPTS: RoomScripts = {
  commit: new LuaScript(
    ...life,
    file('_queue'),
    file('_gate'),
    file('_commit'),
    file('_commit_judge'),
    file('_commit_write'),
  ),
  resume: new LuaScript(...life, file('_log'), file('_resume')),
  history: new LuaScript(...life, file('_log'), file('_history')),
  leave: new LuaScript(file(''), file('_queue'), file('_leave')),
  keep: new LuaScript(...life, file('_keep')),
  keepLane: new LuaScript(...life, file('_keep_lane')),
};

/** The first version of the room format that knows stubs of ended rooms (R36). */
export const STUBS_FORMAT = 2;
/** The first version of the room format that knows gates (R38). */
export const GATES_FORMAT = 3;
/** Version of the room format of this release. */
export const ROOM_FORMAT = GATES_FORMAT;

/** The parts that a store works with. */
export interface RedisRoomStoreOptions {
  /** Proves that writes survive a failover. */
  readonly fence?: Fence | undefined;
  /**
   * Returns true if every node knows that a meta may outlive its room. Until then no meta does, and rooms that never
   * end keep one from the first join on. Default: true.
   */
  readonly leavesStubs?: () => boolean;
  /** Called when Redis denies a script a command or key that it needs. */
  readonly onDenied?: (message: string) => void;
}

/** Rooms in Redis: one script call, all keys of a room in one hash slot. */
export class RedisRoomStore extends RoomStore {
  private readonly losses = new LossReport();
  private readonly unended = new UnendedRooms();

  constructor(
    private readonly links: DataLinks,
    private readonly keys: RedisKeys,
    private readonly scripts: RoomScripts = ROOM_SCRIPTS,
    private readonly options: RedisRoomStoreOptions = {},
  ) {
    super();
  }

  async commit(request: CommitRequest): Promise<CommitReply> {
    const { room, entries } = request;
    const keys = this.keys.room(room);
    const idle = this.idleOf(request);
    const { lanes, further, args } = encodeCommit(request, keys, { publish: this.links.publish, idle });
    const { commands } = this.links;
    const own = [...roomKeys(keys), ...lanes, ...further];
    try {
      for (let attempt = 1; attempt <= 2; attempt++) {
        const reply = await this.scripts.commit.run(commands, own, args);
        if (reply === 'again') continue;
        return this.losses.of(
          room,
          this.notePublication(keys.channel, request, decodeCommit(reply, entries)),
        );
      }
    } catch (error) {
      throw this.losses.failed(room, this.failure(error));
    }
    throw new StoreError(
      'unavailable',
      `the log of room ${room} ends beyond its number, and XINFO is refused`,
    );
  }

  private notePublication(channel: string, { entries }: CommitRequest, reply: CommitReply): CommitReply {
    if (reply.status !== 'committed') return reply;
    const refused = reply.unheard === true;
    if (refused || entries.some(({ events }) => events.length > 0))
      this.links.publications.note(channel, refused);
    return reply;
  }

  async resume(request: ResumeRequest): Promise<ResumeReply> {
    const keys = this.keys.room(request.room);
    const lane = request.lane === undefined ? [] : [keys.lane(request.lane)];
    const args = [newNonce(), ...encodeResume(request), this.idleOf(request)];
    const link = request.bulk ? this.links.reads : this.links.commands;
    try {
      const reply = await this.scripts.resume.run(link, [...roomKeys(keys), ...lane], args);
      return this.losses.of(request.room, decodeResume(reply));
    } catch (error) {
      throw this.losses.failed(request.room, this.failure(error));
    }
  }

  async history(request: HistoryRequest): Promise<HistoryReply> {
    const { room, bulk } = request;
    const args = [newNonce(), ...encodeHistory(request), this.idleOf(request)];
    const link = bulk ? this.links.reads : this.links.commands;
    try {
      const reply = await this.scripts.history.run(link, roomKeys(this.keys.room(room)), args);
      return this.losses.of(room, decodeHistory(reply));
    } catch (error) {
      throw this.losses.failed(room, this.failure(error));
    }
  }

  async tops(rooms: readonly string[]): Promise<RoomTop[]> {
    const metas = rooms.map((room) => this.keys.room(room).meta);
    const tops: RoomTop[] = rooms.map(() => 'unreachable');
    const groups = this.links.byServer(metas);
    const read = async ({ redis, indices }: KeyGroup): Promise<void> => {
      const found = await this.topsOf(
        redis,
        indices.map((index) => metas[index]!),
      );
      indices.forEach((index, i) => (tops[index] = found[i]));
    };
    const results = await Promise.allSettled(groups.map(read));
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result] : []));
    if (failed.length > 0 && failed.length === groups.length) throw failed[0]!.reason;
    return tops;
  }

  private async topsOf(redis: Redis | undefined, metas: readonly string[]): Promise<RoomTop[]> {
    if (redis?.status !== 'ready') throw new StoreError('unavailable', 'the link to Redis is down');
    const pipeline = redis.pipeline();
    pipeline.info('replication').time();
    for (const meta of metas) pipeline.hmget(meta, 's', 'e', 'k');
    const [info, time, ...found] = await results(pipeline);
    if (info![0]) throw toStoreError(toRedisError(info![0]));
    const replicationId = /master_replid:(\w+)/.exec(String(info![1]))?.[1];
    const now = inMs((time![1] ?? [0, 0]) as number[]);
    // A room that the server no longer has is found by resuming it.
    return found.map(([error, meta]) =>
      error ? undefined : topOf(meta as (string | null)[], replicationId, now),
    );
  }

  async numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]> {
    const keys = this.keys.room(room);
    const pipeline = this.links.commands.pipeline();
    for (const lane of lanes) pipeline.hget(keys.lane(lane), 'h');
    const results = (await this.execute(pipeline)) as (string | null)[];
    return results.map(highestOf);
  }

  async time(room: string): Promise<number> {
    const redis = this.links.byServer([this.keys.room(room).meta])[0]?.redis;
    if (redis?.status !== 'ready') throw new StoreError('unavailable', 'the link to Redis is down');
    try {
      return inMs(await redis.time());
    } catch (error) {
      throw toStoreError(toRedisError(error));
    }
  }

  durable(room: string, replicationId: string, withinMs: number): Promise<boolean> {
    const { fence } = this.options;
    if (!fence) return Promise.resolve(false);
    return fence.wait(replicationId, withinMs, this.keys.room(room).meta);
  }

  callChannel(room: string, nodeId: string): string {
    return this.keys.room(room).call(nodeId);
  }

  async leaveQueue(room: string, nodeId: string): Promise<void> {
    const { meta, channel } = this.keys.room(room);
    await this.run(this.scripts.leave, [meta], [channel, nodeId, this.links.publish]);
  }

  async keep(room: string, idleTtlMs: number): Promise<void> {
    const args = [newNonce(), this.idleOf({ room, idleTtlMs })];
    await this.run(this.scripts.keep, roomKeys(this.keys.room(room)), args);
  }

  /** Gives an end to rooms that were read and not used before stubs could be left, once they can. Never rejects. */
  async endUnused(): Promise<void> {
    if (this.leavesStubs()) await this.unended.end((room, idleTtlMs) => this.keep(room, idleTtlMs));
  }

  private leavesStubs(): boolean {
    return this.options.leavesStubs?.() ?? true;
  }

  /**
   * How long a room is kept idle, in the form of the scripts; the room is remembered before the answer, which may be
   * lost.
   */
  private idleOf({ room, idleTtlMs }: { readonly room: string; readonly idleTtlMs: number }): string {
    if (this.leavesStubs()) return `${idleTtlMs}+`;
    this.unended.add(room, idleTtlMs);
    return String(idleTtlMs);
  }

  private async execute(pipeline: ChainableCommander): Promise<unknown[]> {
    if (this.links.commands.status !== 'ready')
      throw new StoreError('unavailable', 'the link to Redis is down');
    return (await results(pipeline)).map(([error, result]) => {
      if (error) throw toStoreError(toRedisError(error));
      return result;
    });
  }

  private async run<Reply>(
    script: LuaScript<Reply>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
    try {
      return await script.run(this.links.commands, keys, args);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** Turns the failure of a script into one for a store's caller. */
  private failure(error: unknown): unknown {
    if (isDenied(error)) this.options.onDenied?.((error as Error).message);
    return toStoreError(error);
  }
}

/** Reads the reply of `TIME`, ms since 1970. */
function inMs([seconds, micros]: readonly (number | string)[]): number {
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

type Results = NonNullable<Awaited<ReturnType<ChainableCommander['exec']>>>;

async function results(pipeline: ChainableCommander): Promise<Results> {
  try {
    return (await pipeline.exec()) ?? [];
  } catch (error) {
    throw toStoreError(toRedisError(error));
  }
}

/** @throws UnknownFormat */
function highestOf(head: string | null): number | undefined {
  if (head === null) return undefined;
  const [, digits] = /^(\d+) /.exec(head) ?? [];
  if (digits === undefined) throw new UnknownFormat('records of this room');
  return Number(digits);
}

/** @param now Redis' clock, ms since 1970 */
function topOf(meta: (string | null)[], replicationId: string | undefined, now: number): RoomTop {
  const [top, history, ends] = meta;
  if (!top || !history) return undefined;
  const plain = history.startsWith('@') ? history.slice(history.indexOf(' ') + 1) : history;
  const [replid, , epoch, keepAt, , idle] = plain.split(' ') as (string | undefined)[];
  // Judges ends as `room_ends.lua` does. A room that has ended has to be resumed, to begin its next life.
  const idleMs = Number.parseInt(idle ?? '0', 10);
  const endsAt = keepAt === undefined ? Number(ends?.split(' ')[1] ?? 0) : idleMs && Number(keepAt) + idleMs;
  if (replid !== replicationId || (endsAt > 0 && endsAt < Math.floor(now))) return undefined;
  return { epoch: epoch!, seq: Number.parseInt(top, 10) };
}

function roomKeys({ meta, documents, log, counters }: RoomKeys): string[] {
  return [meta, documents, log, counters];
}

/** Keys of {@link RoomScripts.keepLane}: all keys that decide how long the record of a lane in a room is kept. */
export function laneKeys(keys: RoomKeys, lane: string): string[] {
  return [...roomKeys(keys), keys.lane(lane)];
}
