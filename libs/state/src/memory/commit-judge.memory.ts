import { RoomGate } from '@wss/core';
import {
  expireKeys,
  lanesWith,
  type MemoryLane,
  type MemoryRoom,
  NODE_LANE_MS,
  RECORD_GRACE_MS,
} from './room.memory.js';
import { ChargeJudge } from './rates.memory.js';
import type { MemoryRoomLife } from './room-life.memory.js';
import type {
  CommitEntry,
  CommitReply,
  CommitRequest,
  StoredDocument,
  Verdict,
} from '../store/room-store.js';

const WINDOW = 32;

/** The state of a lane while a commit is judged. */
interface LaneState {
  readonly stored?: MemoryLane;
  highest: number;
  generation: number;
  /** A limit refused its next number. */
  limited?: boolean;
}

/** Judges all of a commit before anything is written (R2); the twin of the first half of `room_commit.lua`. */
export class CommitJudge {
  readonly verdicts: Verdict[];
  readonly conflict: boolean;
  /** Results of the counter operations, in the order of the entries. */
  readonly results: { entry: number; value: number }[] = [];
  /** Counters after the commit. */
  readonly values = new Map<string, number>();

  private readonly lanes = new Map<string, LaneState>();
  private addedKeys = 0;
  private readonly room: MemoryRoom;

  constructor(
    private readonly life: MemoryRoomLife,
    private readonly request: CommitRequest,
    private readonly now: number,
    readonly rates: ChargeJudge,
  ) {
    const { room } = life;
    this.room = room;
    if (request.entries.some(({ lane }) => lane.once)) expireKeys(room, now);
    this.verdicts = request.entries.map((entry) => this.charge(entry, this.keep(entry, this.judge(entry))));
    this.judgeCounters();
    if (request.documents.some(({ name }) => !room.documents.has(name))) life.findLost();
    this.conflict = request.documents.some(
      ({ name, base }) => (room.documents.get(name)?.position ?? '') !== base,
    );
  }

  /** True if nothing may be written. */
  get refused(): boolean {
    const areRefused = this.verdicts.some(({ kind }) => kind !== 'ok');
    return this.conflict || this.outdated || this.unopened || areRefused;
  }

  /** True if the room is deleted and the commit may not open its next life. */
  private get unopened(): boolean {
    const { opens = true, judgeOnly } = this.request;
    return this.room.deleted && !opens && appends(this.request) && !judgeOnly;
  }

  /** True if the node has applied another gate than the room's. */
  private get outdated(): boolean {
    return (this.request.gate ?? '') !== this.room.gate;
  }

  resultsOf(entry: number): number[] {
    return this.results.filter((result) => result.entry === entry).map(({ value }) => value);
  }

  reply(ahead: number | undefined): CommitReply {
    const { room } = this;
    const documents = new Map<string, StoredDocument>();
    for (const { name } of this.request.documents) {
      const document = room.documents.get(name);
      if (document) documents.set(name, document);
    }
    return {
      status: 'judged',
      position: { epoch: `${room.number}.${room.nonce}`, seq: room.seq },
      verdicts: this.verdicts,
      conflict: this.conflict,
      ...(ahead !== undefined && { ahead }),
      replicationId: room.replicationId,
      documents,
      ...(this.outdated
        ? { gate: RoomGate.read(room.gate, room.endings) }
        : this.unopened && { isDeleted: true as const }),
    };
  }

  private judge(entry: CommitEntry): Verdict {
    const { generation, endsAt, ofNode } = entry.lane;
    const lane = this.laneOf(entry);
    if (this.now >= endsAt) return { kind: 'expired' };
    // The record would end first.
    if (ofNode && endsAt > this.now + NODE_LANE_MS) return { kind: 'expired' };
    if (generation < lane.generation) return { kind: 'expired' };
    if (lane.stored && lane.stored.birth !== this.room.birth) return { kind: 'expired' };
    if (entry.n <= lane.highest) return judgeRepeat(entry, lane);
    if (entry.n > lane.highest + 1) {
      const closed = this.room.lineage.some(({ epoch }) => epoch === entry.epoch);
      if (lane.highest === 0 && !lane.limited && !closed) return { kind: 'expired' };
      return { kind: 'out_of_order', expected: lane.highest + 1 };
    }
    const ack = Math.max(lane.stored?.ack ?? 0, entry.ack);
    if (!ofNode && entry.n > ack + WINDOW) return { kind: 'window' };
    lane.highest = entry.n;
    lane.generation = generation;
    return { kind: 'ok' };
  }

  /** The room has so many keys that take effect once, and no more. */
  private keep(entry: CommitEntry, verdict: Verdict): Verdict {
    const { once, endsAt } = entry.lane;
    if (!once || verdict.kind !== 'ok') return verdict;
    const { onces } = this.room;
    const over = onces.size + this.addedKeys - once.most;
    if (over < 0) {
      this.addedKeys++;
      return verdict;
    }
    this.laneOf(entry).highest = 0;
    const ends = [...onces.values()].map(({ expiresAt }) => expiresAt).sort((a, b) => a - b);
    const retryInMs = Math.ceil((ends[over] ?? endsAt + RECORD_GRACE_MS) - this.now);
    return { kind: 'full', retryInMs };
  }

  private charge(entry: CommitEntry, verdict: Verdict): Verdict {
    const { charges = [] } = entry;
    if (charges.length === 0 || verdict.kind !== 'ok') return verdict;
    const limited = this.rates.charge(charges);
    if (!limited) return verdict;
    if (!entry.lane.ofNode) Object.assign(this.laneOf(entry), { highest: entry.n - 1, limited: true });
    return { kind: 'limited', ...limited };
  }

  private laneOf({ lane }: CommitEntry): LaneState {
    const { id } = lane;
    const known = this.lanes.get(id);
    if (known) return known;
    const stored = lanesWith(this.room, lane).get(id);
    const { highest = 0, generation = 0 } = stored ?? {};
    const state: LaneState = { highest, generation, ...(stored && { stored }) };
    this.lanes.set(id, state);
    return state;
  }

  private judgeCounters(): void {
    let operation = 0;
    this.request.entries.forEach((entry, index) => {
      for (const { name, by, min, max } of entry.counters ?? []) {
        if (this.verdicts[index]!.kind === 'ok') {
          if (!this.values.has(name) && !this.room.counters.has(name)) this.life.findLost();
          const value = (this.values.get(name) ?? this.room.counters.get(name) ?? 0) + by;
          if (value < (min ?? -Infinity) || value > (max ?? Infinity) || !Number.isSafeInteger(value)) {
            this.verdicts[index] = { kind: 'bound', operation };
          } else {
            this.values.set(name, value);
            this.results.push({ entry: index, value });
          }
        }
        operation++;
      }
    });
  }
}

function judgeRepeat(entry: CommitEntry, lane: LaneState): Verdict {
  if (entry.n > (lane.stored?.highest ?? 0)) return { kind: 'later' };
  const record = lane.stored?.records.get(entry.n);
  if (!record) return { kind: 'duplicate' };
  return record.fingerprint === entry.fingerprint ? { kind: 'duplicate', record } : { kind: 'reused' };
}

export function appends({ entries }: CommitRequest): boolean {
  return entries.some(({ events }) => events.length > 0);
}
