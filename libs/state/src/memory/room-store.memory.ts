import { gatePosition, RoomGate } from '@wss/core';
import type { Ending, LogEntry, Position } from '@wss/protocol';
import { fillSlots } from '../store/counter-slots.js';
import { encodeBody, encodeMessage, positionKey } from '../store/log-format.js';
import { LossReport } from '../store/lost-parts.js';
import type { MemoryEngine } from './engine.memory.js';
import { appends, CommitJudge } from './commit-judge.memory.js';
import { ChargeJudge, RateTable } from './rates.memory.js';
import { isWrittenInPart, MemoryRoomLife } from './room-life.memory.js';
import { type CallNode, MemoryWriterQueue } from './writer-queue.memory.js';
import {
  holdRoom,
  lanesWith,
  type MemoryLane,
  type MemoryRoom,
  NODE_LANE_MS,
  RECORD_GRACE_MS,
} from './room.memory.js';
import { type FoundEntries, pageOf, readLog } from './room-log.memory.js';
import {
  type CommitEntry,
  type CommitReply,
  type CommitRequest,
  type HistoryReply,
  type HistoryRequest,
  type Outcome,
  type ResumeReply,
  type ResumeRequest,
  RoomStore,
  type StoredDocument,
} from '../store/room-store.js';
import { encodeWriterCall } from '../store/writer-call.js';

/** Rooms in this process; the rules are those of the Lua scripts, and one contract suite holds both to them. */
export class MemoryRoomStore extends RoomStore {
  private readonly losses = new LossReport();
  private readonly rates: RateTable;

  constructor(
    private readonly engine: MemoryEngine,
    /** Channel of a room's events. */
    private readonly channelOf: (room: string) => string = (room) => room,
  ) {
    super();
    this.rates = engine.table(RateTable);
  }

  commit(request: CommitRequest): Promise<CommitReply> {
    return this.engine.call(() => {
      const life = new MemoryRoomLife(this.engine, request.room, request.idleTtlMs);
      const { room } = life;
      const now = this.engine.now();
      const rates = new ChargeJudge(this.rates, request.room, Math.round(now * 1_000));
      const judge = new CommitJudge(life, request, now, rates);
      if (!judge.refused && !request.judgeOnly) {
        if (appends(request) && isWrittenInPart(room)) life.openEpoch();
        return this.told(request.room, life, this.write(life, request, judge));
      }
      const waits = judge.conflict && !request.judgeOnly && request.inQueue !== undefined;
      const ahead = waits ? new MemoryWriterQueue(room.queue).join(request.inQueue!) : undefined;
      return this.told(request.room, life, judge.reply(ahead));
    });
  }

  resume(request: ResumeRequest): Promise<ResumeReply> {
    return this.engine.call(() => {
      const life = new MemoryRoomLife(this.engine, request.room, request.idleTtlMs);
      const { room } = life;
      life.findLost();
      if (request.holds) MemoryRoomLife.keep(this.engine, request.room, request.idleTtlMs);
      const found = readFrom(life, request);
      const wanted = request.documents === 'ifLost' ? found.reason !== undefined : request.documents;
      const lane = request.lane === undefined ? undefined : room.lanes.get(request.lane);
      return this.told(request.room, life, {
        position: positionOf(room),
        ...found,
        documents: wanted && !found.more ? new Map(room.documents) : new Map<string, StoredDocument>(),
        replicationId: room.replicationId,
        lineage: [...room.lineage],
        ...(room.gate !== (request.gate ?? '') && { gate: RoomGate.read(room.gate, room.endings) }),
        ...(lane && { n: lane.highest }),
      });
    });
  }

  history(request: HistoryRequest): Promise<HistoryReply> {
    return this.engine.call(() => {
      const life = new MemoryRoomLife(this.engine, request.room, request.idleTtlMs);
      const { room } = life;
      life.findLost();
      if (isWrittenInPart(room)) life.openEpoch();
      const position = positionOf(room);
      return this.told(request.room, life, {
        position,
        ...pageOf(room, position, request),
        ...(room.gate !== '' && { gate: RoomGate.read(room.gate, room.endings) }),
      });
    });
  }

  tops(rooms: readonly string[]): Promise<(Position | undefined)[]> {
    return this.engine.call(() =>
      rooms.map((name) => {
        const room = this.engine.known(name);
        const current =
          room?.nonce &&
          room.replicationId === this.engine.replicationId &&
          room.expiresAt > this.engine.now();
        return current ? positionOf(room) : undefined;
      }),
    );
  }

  numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]> {
    return this.engine.call(() => {
      const known = this.engine.known(room);
      return lanes.map((lane) => known?.lanes.get(lane)?.highest);
    });
  }

  time(): Promise<number> {
    return this.engine.call(() => this.engine.now());
  }

  /** The embedded engine has no replicas, so every write is as durable as it can be at once. */
  durable(_room: string, replicationId: string): Promise<boolean> {
    return this.engine.call(() => this.engine.replicationId === replicationId);
  }

  callChannel(room: string, nodeId: string): string {
    return `${this.channelOf(room)}:t:${nodeId}`;
  }

  leaveQueue(name: string, nodeId: string): Promise<void> {
    return this.engine.call(() => {
      const room = this.engine.known(name);
      if (room) new MemoryWriterQueue(room.queue).leave(nodeId, this.calling(name, room, []));
    });
  }

  keep(room: string, idleTtlMs: number): Promise<void> {
    return this.engine.call(() => {
      MemoryRoomLife.keep(this.engine, room, idleTtlMs);
    });
  }

  private told<Reply extends CommitReply | ResumeReply | HistoryReply>(
    name: string,
    { lost }: MemoryRoomLife,
    reply: Reply,
  ): Reply {
    if (lost.length === 0) return reply;
    return this.losses.of(name, { ...reply, lostParts: lost });
  }

  private write(life: MemoryRoomLife, request: CommitRequest, judge: CommitJudge): CommitReply {
    const { room } = life;
    const first = room.seq + 1;
    const bodies: string[] = [];
    const seqs = request.entries.map((entry, index) => {
      const written = append(room, entry, judge.resultsOf(index));
      if (written) bodies.push(encodeBody(written));
      return room.seq;
    });
    for (const { name, json, entry } of request.documents) {
      if (json === undefined) continue;
      const position = positionKey({ ...positionOf(room), seq: seqs[entry!]! });
      room.documents.set(name, { position, json });
    }
    for (const [name, value] of judge.values) room.counters.set(name, value);
    judge.rates.write();
    life.wrote(request, bodies.length > 0 && !(room.deleted && !uses(request)));
    request.entries.forEach((entry, index) => {
      record(room, entry, seqs[index]!, judge.resultsOf(index), this.engine.now());
    });
    // Where the commit is, also if it begins another life.
    const position = positionOf(room);
    const deletes = request.entries.some(({ ending }) => ending?.deleted);
    if (deletes) life.delete();
    else if (uses(request)) room.deleted = false;
    const queue = new MemoryWriterQueue(room.queue);
    const calls = !deletes && queue.wrote(request.inQueue);
    if (bodies.length > 0) room.log.splice(0, Math.max(0, room.log.length - request.history.events));
    const written = request.documents.map(({ name }) => name);
    const call = this.calling(request.room, room, written);
    const { deaf, refused } = calls ? queue.callFirst(request.inQueue, call) : { deaf: 0, refused: false };
    const heard =
      bodies.length === 0 ||
      this.engine.channels.publish(this.channelOf(request.room), encodeMessage(position, first, bodies)) !==
        undefined;
    return {
      status: 'committed',
      position,
      seqs,
      counters: judge.results.map(({ value }) => value),
      ahead: queue.ahead(request.inQueue) - deaf,
      replicationId: room.replicationId,
      ...((refused || !heard) && { unheard: true }),
    };
  }

  /** Returns a function that calls nodes of the room's writer queue, with these documents. */
  private calling(name: string, room: MemoryRoom, documents: readonly string[]): CallNode {
    return (nodeId) => {
      const known = documents.flatMap((document) => {
        const stored = room.documents.get(document);
        return stored ? [[document, stored] as const] : [];
      });
      const message = encodeWriterCall(positionOf(room), new Map(known));
      return this.engine.channels.publish(this.callChannel(name, nodeId), message);
    };
  }
}

/** True for a commit that makes use of a room: it does not only end memberships. */
function uses({ entries }: CommitRequest): boolean {
  return entries.some(({ events, ending }) => events.length > 0 && !ending);
}

function readFrom(life: MemoryRoomLife, request: ResumeRequest): FoundEntries {
  const { room } = life;
  const { looked, ...found } = readLog(room, positionOf(room), request);
  if (!looked || !isWrittenInPart(room)) return found;
  life.openEpoch();
  if (request.from) return { entries: [], more: false, reason: 'unknown_epoch' };
  const { looked: _, ...again } = readLog(room, positionOf(room), request);
  return again;
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
    ...(entry.ending && { ending: entry.ending }),
  };
  room.log.push(written);
  room.seq += events.length;
  if (entry.ending) raiseGate(room, entry.ending);
  return written;
}

function raiseGate(room: MemoryRoom, ending: Ending): void {
  const gate = RoomGate.read(room.gate, room.endings).with(ending, gatePosition(positionOf(room)));
  room.gate = gate.at;
  room.endings = gate.list;
}

function record(
  room: MemoryRoom,
  entry: CommitEntry,
  seq: number,
  results: readonly number[],
  now: number,
): void {
  const { id, generation, endsAt, ofNode } = entry.lane;
  const lanes = lanesWith(room, entry.lane);
  const lane = lanes.get(id) ?? newLane(room.birth, endsAt);
  if (!lanes.has(id) && !ofNode) holdRoom(room, lane.expiresAt);
  lanes.set(id, lane);
  if (ofNode) lane.expiresAt = now + NODE_LANE_MS;
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
