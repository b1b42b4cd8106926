import { isEpoch, type LogEntry, type Position } from '@wss/protocol';
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
import { decodeBody, encodeBody } from './log-format.js';
import { newNonce } from './nonce.js';
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
const line = new URL('./lua/room_line.lua', import.meta.url);

/** Lua texts of the store; tests may hand in changed ones to see that faults are caught. */
export interface RoomScripts {
  readonly commit: LuaScript<string | string[]>;
  readonly resume: LuaScript<(string | number)[]>;
  readonly pass: LuaScript<number>;
}

/** The scripts as shipped. */
export const ROOM_SCRIPTS: RoomScripts = {
  commit: new LuaScript(head, line, new URL('./lua/room_commit.lua', import.meta.url)),
  resume: new LuaScript(head, new URL('./lua/room_resume.lua', import.meta.url)),
  pass: new LuaScript(head, line, new URL('./lua/room_pass.lua', import.meta.url)),
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
    for (let attempt = 1; attempt <= 2; attempt++) {
      const reply = await this.run(this.scripts.commit, [...roomKeys(keys), ...lanes], args);
      if (reply !== 'again') return decodeCommit(reply, request.entries);
    }
    throw new StoreError(
      'unavailable',
      `the log of room ${request.room} ends beyond its number, and XINFO is refused`,
    );
  }

  async resume(request: ResumeRequest): Promise<ResumeReply> {
    const { from, newest = 0, most = 1_000, documents = false } = request;
    const keys = this.keys.room(request.room);
    // Redis wants every key declared; without a lane the meta stands in, which has no such field.
    const lane = request.lane === undefined ? keys.meta : keys.lane(request.lane);
    // A position with an epoch that is empty is one all the same.
    const args = [newNonce(), from ? `=${from.epoch}` : '', from?.seq ?? 0, newest, most, documents ? 1 : 0];
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
    for (const meta of metas) pipeline.hmget(meta, 's', 'e');
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
    return results.map((head) => (head === null ? undefined : Number.parseInt(head, 10)));
  }

  durable(room: string, replicationId: string, withinMs: number): Promise<boolean> {
    if (!this.fence) return Promise.resolve(false);
    return this.fence.wait(replicationId, withinMs, this.keys.room(room).meta);
  }

  turnChannel(room: string, nodeId: string): string {
    return this.keys.room(room).turn(nodeId);
  }

  async pass(room: string, nodeId: string): Promise<void> {
    const { meta, channel } = this.keys.room(room);
    await this.run(this.scripts.pass, [meta], [channel, nodeId, this.links.publish]);
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

  private async run<Reply>(
    script: LuaScript<Reply>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Reply> {
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

function topOf([top, history]: (string | null)[], replicationId?: string): RoomTop {
  if (!top || !history) return undefined;
  const [replid, , epoch] = history.split(' ') as [string, string, string];
  return replid === replicationId ? { epoch, seq: Number.parseInt(top, 10) } : undefined;
}

const OUTCOME = {
  unsent: 'unavailable',
  refused: 'unavailable',
  unknown: 'unknown',
  failed: 'failed',
} as const;

/** What is no error of Redis is a bug of ours, and stays what it is. */
function toStoreError(error: unknown): unknown {
  if (!(error instanceof RedisError)) return error;
  return new StoreError(OUTCOME[error.failure], error.message, { cause: error });
}

function roomKeys({ meta, documents, log, counters }: RoomKeys): string[] {
  return [meta, documents, log, counters];
}

/** Bodies of all entries, and the arguments that the head of `room_commit.lua` describes. */
function encodeCommit(
  request: CommitRequest,
  keys: RoomKeys,
  publish: DataLinks['publish'],
): { lanes: string[]; args: string[] } {
  const { history, idleTtlMs, inLine, judgeOnly, documents, entries } = request;
  const mode = judgeOnly ? 2 : inLine === undefined ? 0 : `@${inLine}`;
  const total = entries.reduce((sum, { events }) => sum + events.length, 0);
  const counts = `${mode} ${entries.length} ${documents.length} ${total}`;
  const head = `${counts} ${publish} ${history.ttlMs} ${idleTtlMs} ${history.events} ${newNonce()}`;
  const bodies: string[] = [];
  const operations: string[] = [];
  const args = [head, ''];
  entries.forEach((entry, index) => {
    const { events, patch, counters } = entry;
    const shift = counters ? operations.length + 1 : undefined;
    for (const { name, by, min = '-', max = '-' } of counters ?? []) {
      operations.push(`${index + 1} ${by} ${min} ${max} ${name}`);
    }
    const body = events.length === 0 ? '' : shifted(encodeBody(events, patch), shift);
    if (body !== '') bodies.push(body);
    args.push(encodeEntry(entry, Buffer.byteLength(body), shift));
  });
  args[1] = bodies.join('\n');
  for (const { name, base, json = '', entry } of documents) {
    // Without JSON nothing is stored, whoever read it.
    args.push(`${(entry ?? 0) + 1} ${base} ${Buffer.byteLength(name)} ${name}|${json}`);
  }
  args.push(...operations);
  return { lanes: entries.map(({ lane }) => keys.lane(lane.id)), args };
}

function encodeEntry(entry: CommitEntry, bodyBytes: number, shift?: number): string {
  const { lane, n, ack, epoch = '', fingerprint, outcome } = entry;
  // What has no epoch's form is none of the room's, and the script could not take it apart.
  const known = isEpoch(epoch) ? epoch : '';
  const head = `${n} ${ack} ${lane.generation} ${lane.endsAt} ${known} ${bodyBytes}`;
  return `${head}|${fingerprint}|${shifted(encodeOutcome(outcome), shift)}`;
}

function shifted(text: string, by?: number): string {
  return by === undefined ? text : shiftSlots(text, by);
}

function decodeCommit(answer: string | readonly string[], entries: readonly CommitEntry[]): CommitReply {
  const reply = typeof answer === 'string' ? [answer] : answer;
  const [status, epoch, digits, ahead, replicationId, unheard] = reply[0]!.split(' ') as StatusLine;
  const position: Position = { epoch, seq: Number(digits) };
  if (status === 'committed') {
    return {
      status,
      position,
      seqs: seqsOf(entries, position.seq),
      counters: reply.slice(1).map(Number),
      ahead: Number(ahead),
      replicationId,
      ...(unheard && { unheard: true }),
    };
  }
  return {
    status,
    position,
    conflict: ahead !== '-',
    ...(/\d/.test(ahead) && { ahead: Number(ahead) }),
    replicationId,
    verdicts: reply.slice(1, 1 + entries.length).map(decodeVerdict),
    documents: decodeDocuments(reply.slice(1 + entries.length)),
  };
}

type StatusLine = [
  status: CommitReply['status'],
  epoch: string,
  digits: string,
  ahead: string,
  replicationId: string,
  unheard?: 'unheard',
];

/** Every event takes one number and the last one is known, so the others need not be told. */
function seqsOf(entries: readonly CommitEntry[], last: number): number[] {
  let seq = entries.reduce((rest, { events }) => rest - events.length, last);
  return entries.map(({ events }) => (seq += events.length));
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
  const epochs = text.split(',').map((past) => {
    const at = past.indexOf('@');
    return { epoch: past.slice(0, at), end: Number(past.slice(at + 1)) };
  });
  // One without a nonce can't be continued; only the script still needs its number.
  return epochs.filter(({ epoch }) => !epoch.endsWith('.'));
}

function decodeResume(reply: readonly (string | number)[]): ResumeReply {
  const [mode, epoch, seq, n, lostFrom, lostTo, replicationId, lineage, count] = reply;
  const entriesAt = 9 + 2 * Number(count);
  const entries: LogEntry[] = [];
  for (let i = entriesAt; i + 1 < reply.length; i += 2) {
    const id = String(reply[i]);
    entries.push(decodeBody(String(reply[i + 1]), Number(id.slice(id.indexOf('-') + 1))));
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
