import { randomBytes } from 'node:crypto';
import type { Position } from '@wss/protocol';
import type { ChainableCommander, Redis } from 'ioredis';
import {
  LuaScript,
  RedisError,
  type DataLinks,
  type Fence,
  type KeyGroup,
  type RedisKeys,
  type RoomKeys,
  toRedisError,
} from '@wss/redis';
import { shiftSlots } from './counter-slots.js';
import { decodeEntry, encodeBody } from './log-format.js';
import { decodeDocument, decodeRecord, encodeOutcome } from './record-format.js';
import {
  type ClosedEpoch,
  type CommitEntry,
  type CommitReply,
  type CommitRequest,
  type ResetReason,
  type ResumeReply,
  type ResumeRequest,
  RoomStore,
  type RoomTop,
  type StoredDocument,
  StoreError,
  type Verdict,
} from './room-store.js';

const head = new URL('./lua/room.lua', import.meta.url);

/** Lua texts of the store; tests may hand in changed ones to see that faults are caught. */
export interface RoomScripts {
  readonly commit: LuaScript<(string | number)[]>;
  readonly resume: LuaScript<(string | number)[]>;
}

/** The scripts as shipped. */
export const ROOM_SCRIPTS: RoomScripts = {
  commit: new LuaScript(head, new URL('./lua/room_commit.lua', import.meta.url)),
  resume: new LuaScript(head, new URL('./lua/room_resume.lua', import.meta.url)),
};

/** Rooms in Redis: one script call, all keys of a room in one hash slot. */
export class RedisRoomStore extends RoomStore {
  constructor(
    private readonly links: DataLinks,
    private readonly keys: RedisKeys,
    private readonly scripts: RoomScripts = ROOM_SCRIPTS,
    private readonly fence?: Fence,
  ) {
    super();
  }

  async commit(request: CommitRequest): Promise<CommitReply> {
    const keys = this.keys.room(request.room);
    const { lanes, args } = encodeCommit(request, keys, this.links.publish);
    const reply = await this.run(this.scripts.commit, [...roomKeys(keys), ...lanes], args);
    const operations = request.entries.reduce((sum, entry) => sum + (entry.counters?.length ?? 0), 0);
    return decodeCommit(reply, request.entries.length, operations);
  }

  async resume(request: ResumeRequest): Promise<ResumeReply> {
    const { from, newest = 0, most = 1_000, documents = false } = request;
    const keys = this.keys.room(request.room);
    // Redis wants every key declared; without a lane the meta stands in, which has no such field.
    const lane = request.lane === undefined ? keys.meta : keys.lane(request.lane);
    const args = [newNonce(), from?.epoch ?? '', from?.seq ?? 0, newest, most, documents ? 1 : 0];
    const reply = await this.run(this.scripts.resume, [keys.meta, keys.documents, keys.log, lane], args);
    return decodeResume(reply);
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
    pipeline.info('replication');
    for (const meta of metas) pipeline.hmget(meta, 's', 'n', 'e', 'r');
    const [info, ...found] = await results(pipeline);
    if (info![0]) throw toStoreError(toRedisError(info![0]));
    const replicationId = /master_replid:(\w+)/.exec(String(info![1]))?.[1];
    // A room that a server has no more is found by resuming it.
    return found.map(([error, meta]) =>
      error ? undefined : topOf(meta as (string | null)[], replicationId),
    );
  }

  async numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]> {
    const keys = this.keys.room(room);
    const pipeline = this.links.commands.pipeline();
    for (const lane of lanes) pipeline.hget(keys.lane(lane), 'h');
    const results = (await this.execute(pipeline)) as (string | null)[];
    return results.map((n) => (n === null ? undefined : Number(n)));
  }

  durable(room: string, replicationId: string, withinMs: number): Promise<boolean> {
    if (!this.fence) return Promise.resolve(false);
    return this.fence.wait(replicationId, withinMs, this.keys.room(room).meta);
  }

  async keep(room: string, idleTtlMs: number): Promise<void> {
    const { meta, documents, counters } = this.keys.room(room);
    const pipeline = this.links.commands.pipeline();
    const at = Date.now() + idleTtlMs;
    for (const key of [meta, documents, counters]) pipeline.pexpireat(key, at);
    await this.execute(pipeline);
  }

  private async execute(pipeline: ChainableCommander): Promise<unknown[]> {
    if (this.links.commands.status !== 'ready')
      throw new StoreError('unavailable', 'the link to Redis is down');
    return (await results(pipeline)).map(([error, result]) => {
      if (error) throw toStoreError(toRedisError(error));
      return result;
    });
  }

  private async run(
    script: LuaScript<(string | number)[]>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<(string | number)[]> {
    try {
      return await script.run(this.links.commands, keys, args);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

type Results = NonNullable<Awaited<ReturnType<ChainableCommander['exec']>>>;

async function results(pipeline: ChainableCommander): Promise<Results> {
  try {
    return (await pipeline.exec()) ?? [];
  } catch (error) {
    throw toStoreError(toRedisError(error));
  }
}

function topOf([seq, number, nonce, replid]: (string | null)[], replicationId?: string): RoomTop {
  return seq && replid === replicationId ? { epoch: `${number}.${nonce}`, seq: Number(seq) } : undefined;
}

const OUTCOME = {
  unsent: 'unavailable',
  refused: 'unavailable',
  unknown: 'unknown',
  broken: 'broken',
} as const;

function toStoreError(error: unknown): StoreError {
  const failure = error instanceof RedisError ? error.failure : 'broken';
  return new StoreError(OUTCOME[failure], (error as Error).message, { cause: error });
}

function newNonce(): string {
  return randomBytes(6).toString('base64url');
}

function roomKeys({ meta, documents, log, counters }: RoomKeys): string[] {
  return [meta, documents, log, counters];
}

function encodeCommit(
  request: CommitRequest,
  keys: RoomKeys,
  publish: DataLinks['publish'],
): { lanes: string[]; args: (string | number)[] } {
  const { history, idleTtlMs, countsConflict, judgeOnly, documents, entries } = request;
  const lanes = new Map<string, number>();
  const mode = judgeOnly ? 2 : countsConflict ? 1 : 0;
  const args: (string | number)[] = [newNonce(), keys.channel, history.events, history.ttlMs, idleTtlMs];
  args.push(mode, publish, documents.length, entries.length, 0);
  for (const { name, base, json = '', entry } of documents) {
    args.push(name, base, json, entry === undefined ? 0 : entry + 1);
  }
  const operations: (string | number)[] = [];
  entries.forEach((entry, index) => {
    if (!lanes.has(entry.lane.id)) lanes.set(entry.lane.id, lanes.size + 1);
    const before = operations.length / 5;
    for (const { name, by, min, max } of entry.counters ?? []) {
      operations.push(index + 1, name, by, min ?? '', max ?? '');
    }
    pushEntry(args, entry, lanes.get(entry.lane.id)!, before + 1);
  });
  args[9] = operations.length / 5;
  for (const operation of operations) args.push(operation);
  return { lanes: [...lanes.keys()].map((lane) => keys.lane(lane)), args };
}

function pushEntry(args: (string | number)[], entry: CommitEntry, lane: number, firstSlot: number): void {
  let body = entry.events.length > 0 ? encodeBody(entry.events, entry.patch) : '';
  let outcome = encodeOutcome(entry.outcome);
  if (entry.counters) {
    body = shiftSlots(body, firstSlot);
    outcome = shiftSlots(outcome, firstSlot);
  }
  const { generation, endsAt } = entry.lane;
  args.push(lane, entry.n, entry.ack, entry.fingerprint, generation, endsAt, entry.epoch ?? '');
  args.push(entry.events.length, body, outcome);
}

function decodeCommit(reply: readonly (string | number)[], entries: number, operations: number): CommitReply {
  const position: Position = { epoch: String(reply[1]), seq: Number(reply[2]) };
  if (reply[0] === 'committed') {
    const seqs = reply.slice(5, 5 + entries).map(Number);
    const counters = reply.slice(5 + entries, 5 + entries + operations).map(Number);
    return {
      status: 'committed',
      position,
      seqs,
      counters,
      contended: Number(reply[3]) > 0,
      replicationId: String(reply[4]),
    };
  }
  return {
    status: 'judged',
    position,
    conflict: reply[3] === 1,
    replicationId: String(reply[4]),
    verdicts: reply.slice(5, 5 + entries).map((verdict) => decodeVerdict(String(verdict))),
    documents: decodeDocuments(reply.slice(5 + entries)),
  };
}

function decodeVerdict(text: string): Verdict {
  const bar = text.indexOf('|');
  const kind = bar < 0 ? text : text.slice(0, bar);
  const rest = text.slice(bar + 1);
  switch (kind) {
    case 'dup':
      return rest === '' ? { kind: 'duplicate' } : { kind: 'duplicate', record: decodeRecord(rest) };
    case 'order':
      return { kind: 'out_of_order', expected: Number(rest) };
    case 'bound':
      return { kind: 'bound', operation: Number(rest) - 1 };
    default:
      return { kind: kind as 'ok' | 'reused' | 'window' | 'expired' | 'later' };
  }
}

function decodeDocuments(flat: readonly (string | number)[]): Map<string, StoredDocument> {
  const documents = new Map<string, StoredDocument>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const document = decodeDocument(String(flat[i + 1]));
    if (document) documents.set(String(flat[i]), document);
  }
  return documents;
}

function decodeLineage(text: string): ClosedEpoch[] {
  if (text === '') return [];
  return text.split(',').map((past) => {
    const at = past.indexOf('@');
    return { epoch: past.slice(0, at), end: Number(past.slice(at + 1)) };
  });
}

function decodeResume(reply: readonly (string | number)[]): ResumeReply {
  const [mode, epoch, seq, n, lostFrom, lostTo, replicationId, lineage, count] = reply;
  const entriesAt = 9 + 2 * Number(count);
  const entries = [];
  for (let i = entriesAt; i + 1 < reply.length; i += 2) {
    const id = String(reply[i]);
    entries.push(decodeEntry(String(reply[i + 1]), Number(id.slice(id.indexOf('-') + 1))));
  }
  const reason = mode === 'live' || mode === 'replay' ? undefined : (mode as ResetReason);
  return {
    position: { epoch: String(epoch), seq: Number(seq) },
    entries,
    documents: decodeDocuments(reply.slice(9, entriesAt)),
    lineage: decodeLineage(String(lineage)),
    replicationId: String(replicationId),
    ...(reason && { reason }),
    ...(reason === 'rolled_back' && { lost: { from: Number(lostFrom), to: Number(lostTo) } }),
    ...(n !== '' && { n: Number(n) }),
  };
}
