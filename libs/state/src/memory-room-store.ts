import { randomBytes } from 'node:crypto';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import { fillSlots } from './counter-slots.js';
import { encodeBody, encodeMessage, positionKey } from './log-format.js';
import type { MemoryEngine, MemoryLane, MemoryRoom } from './memory-engine.js';
import { CommitJudge } from './memory-commit-judge.js';
import { type CallNode, MemoryRoomLine } from './memory-room-line.js';
import {
  type CommitEntry,
  type CommitReply,
  type CommitRequest,
  type Outcome,
  type ResumeReply,
  type ResumeRequest,
  RoomStore,
  type StoredDocument,
} from './room-store.js';
import { encodeTurn } from './turn-format.js';

const LINEAGE = 64;
const NODE_LANE_MS = 900_000;
const RECORD_GRACE_MS = 3_600_000;

/** Rooms in this process; the rules are those of the Lua scripts, and one contract suite holds both to them. */
export class MemoryRoomStore extends RoomStore {
  constructor(
    private readonly engine: MemoryEngine,
    /** Channel of a room's events. */
    private readonly channelOf: (room: string) => string = (room) => room,
  ) {
    super();
  }

  commit(request: CommitRequest): Promise<CommitReply> {
    return this.engine.call(() => {
      const room = this.open(request.room);
      const judge = new CommitJudge(room, request, this.engine.now());
      if (!judge.refused && !request.judgeOnly) {
        if (appends(request) && isWrittenInPart(room)) this.openEpoch(room);
        return this.write(room, request, judge);
      }
      const waits = judge.conflict && !request.judgeOnly && request.inLine !== undefined;
      return judge.reply(waits ? new MemoryRoomLine(room.line).stand(request.inLine!) : undefined);
    });
  }

  resume(request: ResumeRequest): Promise<ResumeReply> {
    return this.engine.call(() => {
      const room = this.open(request.room);
      const found = request.from ? this.missedSince(room, request.from, request.most ?? 1_000) : undefined;
      if (!found && request.newest && room.seq > 0 && isWrittenInPart(room)) this.openEpoch(room);
      const entries = found ? found.entries : newestEntries(room, request.newest ?? 0);
      const lane = request.lane === undefined ? undefined : room.lanes.get(request.lane);
      return {
        position: positionOf(room),
        entries,
        documents: request.documents ? new Map(room.documents) : new Map<string, StoredDocument>(),
        replicationId: room.replicationId,
        lineage: [...room.lineage],
        ...(found?.reason && { reason: found.reason }),
        ...(found?.lost && { lost: found.lost }),
        ...(lane && { n: lane.highest }),
      };
    });
  }

  tops(rooms: readonly string[]): Promise<(Position | undefined)[]> {
    return this.engine.call(() =>
      rooms.map((name) => {
        const room = this.engine.rooms.get(name);
        const current =
          room?.replicationId === this.engine.replicationId && room.expiresAt > this.engine.now();
        return current ? positionOf(room) : undefined;
      }),
    );
  }

  numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]> {
    return this.engine.call(() => lanes.map((lane) => this.engine.rooms.get(room)?.lanes.get(lane)?.highest));
  }

  /** The embedded engine has nothing to fail over to; what it promises it promises at once. */
  durable(_room: string, replicationId: string): Promise<boolean> {
    return this.engine.call(() => this.engine.replicationId === replicationId);
  }

  turnChannel(room: string, nodeId: string): string {
    return `${this.channelOf(room)}:t:${nodeId}`;
  }

  pass(name: string, nodeId: string): Promise<void> {
    return this.engine.call(() => {
      const room = this.engine.rooms.get(name);
      if (room) new MemoryRoomLine(room.line).leave(nodeId, this.calling(name, room, []));
    });
  }

  keep(room: string, idleTtlMs: number): Promise<void> {
    return this.engine.call(() => {
      const known = this.engine.rooms.get(room);
      if (known) known.expiresAt = this.engine.now() + idleTtlMs;
    });
  }

  /** The room on the current history; what has expired is gone. */
  private open(name: string): MemoryRoom {
    const { engine } = this;
    const now = engine.now();
    let room = engine.rooms.get(name);
    if (!room || room.expiresAt <= now) {
      const lanes = room?.lanes ?? new Map<string, MemoryLane>();
      engine.rooms.set(name, (room = emptyRoom(lanes)));
    }
    if (room.logExpiresAt <= now) room.log = [];
    for (const [id, lane] of room.lanes) if (lane.expiresAt <= now) room.lanes.delete(id);
    if (room.replicationId !== engine.replicationId) this.openEpoch(room);
    return room;
  }

  private openEpoch(room: MemoryRoom): void {
    openEpoch(room, this.engine.replicationId, this.engine.now());
  }

  private missedSince(room: MemoryRoom, from: Position, most: number): Missed {
    const missed = missedSince(room, from, most);
    if (!missed.reads || !isWrittenInPart(room)) return missed;
    this.openEpoch(room);
    return { entries: [], reason: 'unknown_epoch' };
  }

  private write(room: MemoryRoom, request: CommitRequest, judge: CommitJudge): CommitReply {
    const first = room.seq + 1;
    const bodies: string[] = [];
    const seqs = request.entries.map((entry, index) => {
      const written = append(room, entry, judge.resultsOf(index));
      if (written) bodies.push(encodeBody(written.events, written.patch));
      return room.seq;
    });
    for (const { name, json, entry } of request.documents) {
      if (json === undefined) continue;
      const position = positionKey({ ...positionOf(room), seq: seqs[entry!]! });
      room.documents.set(name, { position, json });
    }
    for (const [name, value] of judge.values) room.counters.set(name, value);
    request.entries.forEach((entry, index) => {
      record(room, entry, seqs[index]!, judge.resultsOf(index), this.engine.now());
    });
    const line = new MemoryRoomLine(room.line);
    const calls = line.wrote(request.inLine);
    if (bodies.length > 0) this.age(room, request);
    const written = request.documents.map(({ name }) => name);
    const call = this.calling(request.room, room, written);
    const { deaf, refused } = calls ? line.callFirst(request.inLine, call) : { deaf: 0, refused: false };
    const heard =
      bodies.length === 0 ||
      this.engine.channels.publish(
        this.channelOf(request.room),
        encodeMessage(positionOf(room), first, bodies),
      ) !== undefined;
    return {
      status: 'committed',
      position: positionOf(room),
      seqs,
      counters: judge.results.map(({ value }) => value),
      ahead: line.ahead(request.inLine) - deaf,
      replicationId: room.replicationId,
      ...((refused || !heard) && { unheard: true }),
    };
  }

  /** Calls nodes of the room's line, with these documents. */
  private calling(name: string, room: MemoryRoom, documents: readonly string[]): CallNode {
    return (nodeId) => {
      const known = documents.flatMap((document) => {
        const stored = room.documents.get(document);
        return stored ? [[document, stored] as const] : [];
      });
      const message = encodeTurn(positionOf(room), new Map(known));
      return this.engine.channels.publish(this.turnChannel(name, nodeId), message);
    };
  }

  private age(room: MemoryRoom, request: CommitRequest): void {
    const now = this.engine.now();
    room.log.splice(0, Math.max(0, room.log.length - request.history.events));
    room.logExpiresAt = now + request.history.ttlMs;
    if (request.idleTtlMs > 0) room.expiresAt = now + request.idleTtlMs;
  }
}

function emptyRoom(lanes: Map<string, MemoryLane>): MemoryRoom {
  return {
    seq: 0,
    number: 0,
    nonce: '',
    replicationId: '',
    birth: '',
    line: [],
    expiresAt: Infinity,
    logExpiresAt: Infinity,
    lineage: [],
    log: [],
    documents: new Map(),
    counters: new Map(),
    lanes,
  };
}

function appends({ entries }: CommitRequest): boolean {
  return entries.some(({ events }) => events.length > 0);
}

/** Where the log ends beyond the room's number, it holds a commit that was written in part (R35). */
function isWrittenInPart({ log, seq }: MemoryRoom): boolean {
  const last = log.at(-1);
  return last !== undefined && lastSeq(last) > seq;
}

/** Its numbers are taken then, and no position of before can be continued, for nobody knows what else was written. */
function openEpoch(room: MemoryRoom, replicationId: string, now: number): void {
  if (isWrittenInPart(room)) {
    room.seq = lastSeq(room.log.at(-1)!);
    room.lineage = [];
  } else if (room.nonce) {
    room.lineage.unshift({ epoch: positionOf(room).epoch, end: room.seq });
    room.lineage.length = Math.min(room.lineage.length, LINEAGE);
  }
  room.number = Math.max(room.number + 1, Math.floor(now / 1_000));
  room.nonce = randomBytes(6).toString('base64url');
  room.replicationId = replicationId;
  room.birth ||= room.nonce;
}

function positionOf(room: MemoryRoom): Position {
  return { epoch: `${room.number}.${room.nonce}`, seq: room.seq };
}

function append(room: MemoryRoom, entry: CommitEntry, results: readonly number[]): LogEntry | undefined {
  if (entry.events.length === 0) return undefined;
  const events = entry.events.map(({ event, data }) => ({ event, data: fillSlots(data, results) }));
  const written: LogEntry = {
    first: room.seq + 1,
    events,
    ...(entry.patch !== undefined && { patch: fillSlots(entry.patch, results) }),
  };
  room.log.push(written);
  room.seq += events.length;
  return written;
}

function record(
  room: MemoryRoom,
  entry: CommitEntry,
  seq: number,
  results: readonly number[],
  now: number,
): void {
  const { id, generation, endsAt } = entry.lane;
  const lane = room.lanes.get(id) ?? newLane(room.birth, endsAt);
  room.lanes.set(id, lane);
  if (endsAt === 0) lane.expiresAt = now + NODE_LANE_MS;
  lane.generation = generation;
  lane.highest = entry.n;
  const ack = Math.max(lane.ack, Math.min(entry.ack, entry.n - 1));
  for (let n = lane.ack + 1; n <= ack; n++) lane.records.delete(n);
  lane.ack = ack;
  const outcome: Outcome =
    'json' in entry.outcome
      ? { kind: entry.outcome.kind, json: fillSlots(entry.outcome.json, results) }
      : entry.outcome;
  lane.records.set(entry.n, { seq, fingerprint: entry.fingerprint, outcome });
}

function newLane(birth: string, endsAt: number): MemoryLane {
  return {
    highest: 0,
    ack: 0,
    generation: 0,
    birth,
    expiresAt: endsAt + RECORD_GRACE_MS,
    records: new Map(),
  };
}

/** Whole entries with the newest events after `from`, and where they begin. */
function entriesAfter(room: MemoryRoom, from: number): { entries: LogEntry[]; oldest: number } {
  const entries: LogEntry[] = [];
  let oldest = room.seq + 1;
  for (const entry of [...room.log].reverse()) {
    if (oldest <= from + 1 || lastSeq(entry) !== oldest - 1) break;
    oldest = entry.first;
    entries.unshift(entry);
  }
  return { entries, oldest };
}

function newestEntries(room: MemoryRoom, count: number): LogEntry[] {
  return count > 0 ? entriesAfter(room, Math.max(0, room.seq - count)).entries : [];
}

interface Missed extends Pick<ResumeReply, 'entries' | 'reason' | 'lost'> {
  /** Whether the log was looked at. */
  readonly reads?: boolean;
}

function missedSince(room: MemoryRoom, { epoch, seq }: Position, most: number): Missed {
  const current = positionOf(room);
  const limit = epoch === current.epoch ? room.seq : room.lineage.find((past) => past.epoch === epoch)?.end;
  if (limit === undefined) return { entries: [], reason: 'unknown_epoch' };
  if (seq > limit) return { entries: [], reason: 'rolled_back', lost: { from: limit + 1, to: seq } };
  if (room.seq - seq > most) return { entries: [], reason: 'too_far' };
  const { entries, oldest } = entriesAfter(room, seq);
  const reads = seq < room.seq;
  return oldest > seq + 1 ? { entries: [], reason: 'trimmed', reads } : { entries, reads };
}
