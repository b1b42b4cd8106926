import { gatePosition } from '@wss/core';
import type { Position } from '@wss/protocol';
import { type CommitReply, type ResumeReply, StoreError } from '../../src/index.js';
import { type CommitLane } from '../../src/store/room-store.js';
import { type CommitStep, NODES, type Step } from './fuzz-steps.js';
import type { StoreUnderTest } from './room-store.contract.js';

const DAY = 86_400_000;
const NODE_LANE_MS = 900_000;
const REST_MS = 4;

/**
 * One engine of a differential fuzz. Names that each engine makes up, its epochs and replication ids, are replaced by
 * their ordinals, so that two engines can be compared, and steps name them in the same way.
 */
export class FuzzedStore {
  private epochs: string[] = [];
  private histories: string[] = [];
  /** Gates that were told, newest last. */
  private gates: string[] = [];
  private numbers: string[] = [];

  private constructor(
    private readonly engine: StoreUnderTest,
    private readonly room: string,
    private readonly messages: Awaited<ReturnType<StoreUnderTest['subscribe']>>,
  ) {}

  static async open(engine: StoreUnderTest, room: string): Promise<FuzzedStore> {
    // One of the nodes hears when it is called.
    await engine.subscribe(engine.store.callChannel(room, NODES[0]!));
    return new FuzzedStore(engine, room, await engine.subscribe(engine.channelOf(room)));
  }

  /** Forgets everything, for a new sequence. */
  async reset(): Promise<void> {
    await this.engine.refusePublications(false);
    // A checkpoint that was left open ends with its history.
    await this.engine.newHistory();
    await this.engine.wipe();
    this.epochs = [];
    this.histories = [];
    this.gates = [];
    this.numbers = [];
  }

  /** Takes a step. Returns what came back, and what was published on the room's channel. */
  async take(step: Step): Promise<string> {
    const reply = await this.carryOut(step).catch((error: unknown) => {
      if (error instanceof StoreError) return { error: error.outcome };
      throw error;
    });
    const text = this.normalized(reply);
    const published =
      text.includes('"status":"committed"') &&
      !text.includes('"unheard":true') &&
      (step as CommitStep).entries.some(({ events }) => events > 0);
    return published ? `${text}\n${await this.nextMessage()}` : text;
  }

  private async carryOut(step: Step): Promise<unknown> {
    const { engine, room } = this;
    switch (step.do) {
      case 'commit':
        return this.commit(step);
      case 'resume': {
        const { from, knownGate, ...rest } = step;
        const gate = this.gateAt(knownGate);
        const resumed = await engine.store.resume({
          room,
          gate,
          ...rest,
          ...(from && { from: this.position(from) }),
        });
        return this.learn(resumed, []);
      }
      case 'history': {
        const { do: _, epoch, ...rest } = step;
        const known = epoch !== undefined && { epoch: this.epoch(epoch) };
        return engine.store.history({ room, ...rest, ...known });
      }
      case 'numbers':
        return engine.store.numbers(room, step.lanes);
      case 'losePart':
        return engine.losePart(room, step.part);
      case 'keep':
        await engine.store.keep(room, step.idleTtlMs);
        return step.idleTtlMs === 1 ? passed(REST_MS) : undefined;
      case 'leave':
        return engine.store.leaveQueue(room, step.node);
      case 'refusePublications':
        return engine.refusePublications(step.refused);
      case 'writtenInPart':
        return engine.writtenInPart(room, step.seq);
      case 'tops':
        return engine.store.tops([room]);
      default:
        return engine[step.do]();
    }
  }

  private async commit({ entries, documents, ages, knownGate, ...step }: CommitStep): Promise<unknown> {
    const reply = await this.engine.store.commit({
      room: this.room,
      gate: this.gateAt(knownGate),
      entries: entries.map(({ lane, generation, ended, epoch, events, text, ...entry }) => ({
        ...entry,
        lane: {
          id: lane,
          generation,
          ...endOf(lane, ended ? entry.n : undefined),
          ...(lane.startsWith('!') && { once: { most: 2 } }),
        },
        events: Array.from({ length: events }, (_, i) => ({
          event: JSON.stringify(`e${text}`),
          data: `{"i":${i},"of":"\x01${0}\x02"}`,
        })).map((event) => (entry.counters ? event : { ...event, data: JSON.stringify({ text }) })),
        ...(epoch !== undefined && { epoch: this.epoch(epoch) }),
      })),
      documents: documents.map(({ base, ...document }) => ({
        ...document,
        base: base ? `${this.epoch(base.epoch)}:${base.seq}` : '',
      })),
      history: { events: 1_000, ttlMs: ages === 'log' ? 1 : DAY },
      idleTtlMs: ages === 'room' ? 1 : 0,
      ...step,
    });
    if (ages) await passed(REST_MS);
    return this.learn(reply, entries);
  }

  private gateAt(knownGate: number | undefined): string {
    return knownGate === undefined ? '' : (this.gates.at(-1 - knownGate) ?? '');
  }

  /** Learns the room's gate. */
  private learn<Reply extends CommitReply | ResumeReply>(
    reply: Reply,
    entries: CommitStep['entries'],
  ): Reply {
    if ('gate' in reply && reply.gate) this.gates.push(reply.gate.at);
    if (!('status' in reply) || reply.status !== 'committed') return reply;
    const { epoch } = reply.position;
    entries.forEach(({ ending }, i) => {
      if (ending) this.gates.push(gatePosition({ epoch, seq: reply.seqs[i]! }));
    });
    return reply;
  }

  private position({ epoch, seq }: { readonly epoch: number | string; readonly seq: number }): Position {
    return { epoch: this.epoch(epoch), seq };
  }

  private epoch(index: number | string): string {
    if (typeof index === 'string') return index;
    return this.epochs[index] ?? '1.none';
  }

  private async nextMessage(): Promise<string> {
    const [message] = await this.messages.next(1);
    return this.named(message!);
  }

  private normalized(reply: unknown): string {
    const text = JSON.stringify(reply, (key, value: unknown) => {
      if (key === 'replicationId') return indexOf(this.histories, value as string);
      // The engines have clocks of their own.
      if (key === 'retryInMs') return 'some';
      return inOrder(value);
    });
    return this.named(text ?? 'nothing');
  }

  /** With each epoch by its index. */
  private named(text: string): string {
    const named = text.replace(/\d{10,}\.[\w-]{8,}/g, (epoch) => `#${indexOf(this.epochs, epoch)}`);
    // Positions of endings have only the number of an epoch.
    return named.replace(/(\d{10,})\.(\d{1,7})(?![\w-])/g, (_all, number: string, seq: string) => {
      return `@${indexOf(this.numbers, number)}.${seq}`;
    });
  }
}

function indexOf(list: string[], item: string): number {
  const known = list.indexOf(item);
  return known >= 0 ? known : list.push(item) - 1;
}

/** With the keys of objects and maps in one order. */
function inOrder(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const parts: [string, unknown][] =
    value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
  return Object.fromEntries(parts.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Resolves when so much time has passed that what lived for 1 ms is over. */
async function passed(ms: number): Promise<void> {
  const end = Date.now() + ms;
  while (Date.now() <= end) await new Promise((resolve) => setImmediate(resolve));
}

/** @param endedAt its number where the lane is over; one of a node would outlive its record in every other case */
function endOf(lane: string, endedAt?: number): Pick<CommitLane, 'endsAt' | 'ofNode'> {
  const now = Date.now();
  if (lane !== 'node') return { endsAt: endedAt === undefined ? now + DAY : now - DAY };
  const leftMs = endedAt === undefined ? NODE_LANE_MS / 2 : endedAt % 2 === 0 ? DAY : -DAY;
  return { endsAt: now + leftMs, ofNode: true };
}
