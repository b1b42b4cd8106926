import type { Random } from '@wss/testing';
import type { CommitEntry, DocumentWrite, PartLimits, RoomPart } from '../../src/store/room-store.js';

/** A position whose epoch is the how manieth of the sequence. */
interface PositionIndex {
  readonly epoch: number;
  readonly seq: number;
}

interface EntryStep extends Omit<CommitEntry, 'lane' | 'events' | 'epoch'> {
  readonly lane: string;
  readonly generation: number;
  /** True if its session is over. */
  readonly ended: boolean;
  /** One of the sequence, or any text. */
  readonly epoch?: number | string;
  /** How many. */
  readonly events: number;
  /** Stands in its events. */
  readonly text: string;
}

export interface CommitStep {
  readonly do: 'commit';
  readonly entries: readonly EntryStep[];
  readonly documents: readonly (Omit<DocumentWrite, 'base'> & { readonly base?: PositionIndex })[];
  /** The node that may stand in the queue. */
  readonly inQueue?: string;
  readonly judgeOnly: boolean;
  /** See {@link CommitRequest.opens}. */
  readonly opens?: false;
  /** The how manieth last gate that was told the node has applied; absent: none. */
  readonly knownGate?: number;
  /** The part that is over when the commit is: everything in the log, or the room. */
  readonly ages?: 'log' | 'room';
}

/** One step that a sequence takes on both engines. */
export type Step =
  | CommitStep
  | {
      readonly do: 'resume';
      readonly from?: Omit<PositionIndex, 'epoch'> & { readonly epoch: number | string };
      readonly after?: number;
      readonly newest?: number;
      readonly most: number;
      readonly limits?: PartLimits;
      readonly documents: boolean | 'ifLost';
      readonly lane: string;
      readonly idleTtlMs: number;
      readonly holds: boolean;
      readonly knownGate?: number;
    }
  | {
      readonly do: 'history';
      readonly before?: number;
      readonly epoch?: number | string;
      readonly events: number;
      readonly bytes: number;
      readonly idleTtlMs: number;
    }
  | { readonly do: 'leave'; readonly node: string }
  | { readonly do: 'losePart'; readonly part: RoomPart }
  /** The room is kept for so long; 1 ms: it ends idle. */
  | { readonly do: 'keep'; readonly idleTtlMs: number }
  | { readonly do: 'numbers'; readonly lanes: readonly string[] }
  | { readonly do: 'refusePublications'; readonly refused: boolean }
  | { readonly do: 'writtenInPart'; readonly seq: number }
  | { readonly do: 'tops' | 'newHistory' | 'checkpoint' | 'loseSinceCheckpoint' | 'wipe' };

/** Texts that a client may write where a script takes text apart (R34). */
const ODD = [
  'a|b|c',
  'a b',
  ' ',
  '',
  '-',
  '|',
  '1 2 3 4 5',
  '\n',
  'a\r\nb',
  '\x01',
  '\x010\x02',
  '\x011\x02',
  '\x030\x04',
  '\x00',
  '"\\',
  '%1%%',
  '1.a@7,2.b@9',
  '12.x|y',
  '=1.x',
  '@n1',
  'ä€💥',
  '\u2028',
];
const CHANGES_HISTORY = new Set<Step['do']>([
  'newHistory',
  'checkpoint',
  'loseSinceCheckpoint',
  'wipe',
  'losePart',
  'keep',
]);
const LANES = ['s1', 's 2|\n\x010\x02ä', 'node'];
/** Lanes of keys that take effect once; a room keeps two of them. */
const KEYS = ['!k1', '!k 2', '!k|3\n'];
/** Members whose memberships are ended. */
const MEMBERS = ['ann', 'b o\tb"', '💥'];
const DOCUMENTS = ['d1', 'd2 |ä%1@,\x01'];
const PARTS = ['meta', 'documents', 'log', 'counters'] as const;
/** Nodes that write the room. */
export const NODES = ['n1', 'n2', 'n3'];

/** Makes up steps; it follows what was answered just well enough that many of them take effect. */
export class FuzzSteps {
  private readonly highest = new Map<string, number>();
  private readonly generations = new Map<string, number>();
  private readonly bases = new Map<string, PositionIndex>();
  private epoch = 0;
  private seq = 0;
  private checkpointed = false;
  private refused = false;
  /** Events of the last commit, if that was in the present epoch. */
  private undoable = 0;

  constructor(private readonly random: Random) {}

  next(): Step {
    const { random } = this;
    const dice = random.below(100);
    if (dice < 52) return this.commit();
    if (dice < 53) return { do: 'losePart', part: random.pick(PARTS) };
    if (dice < 55) return { do: 'keep', idleTtlMs: random.pick([0, 1, 1, 60_000]) };
    if (dice < 57) return { do: 'refusePublications', refused: (this.refused = !this.refused) };
    if (dice < 59 && this.undoable > 0) return this.writtenInPart();
    if (dice < 60) return { do: 'leave', node: random.pick(NODES) };
    if (dice < 77) return this.resume();
    if (dice < 85) return this.history();
    if (dice < 89) return { do: 'numbers', lanes: LANES };
    if (dice < 93) return { do: 'tops' };
    if (dice < 95 && !this.checkpointed) return { do: 'newHistory' };
    if (dice === 99 && !this.checkpointed) return { do: 'wipe' };
    this.checkpointed = !this.checkpointed;
    return { do: this.checkpointed ? 'checkpoint' : 'loseSinceCheckpoint' };
  }

  /** Learns from an engine's answer. */
  learn(step: Step, answer: string): void {
    const position = /"position":\{"epoch":"#(\d+)","seq":(\d+)\}/.exec(answer);
    if (position && Number(position[1]) !== this.epoch) this.undoable = 0;
    if (position) [this.epoch, this.seq] = [Number(position[1]), Number(position[2])];
    for (const [, start, epoch, seq] of answer.matchAll(
      /"(d\d)[^"]*":\{"json":"(?:[^"\\]|\\.)*","position":"#(\d+):(\d+)"/g,
    )) {
      const name = DOCUMENTS.find((document) => document.startsWith(start!))!;
      this.bases.set(name, { epoch: Number(epoch), seq: Number(seq) });
    }
    for (const [, expected] of answer.matchAll(/"expected":(\d+)/g)) {
      if (step.do === 'commit') this.highest.set(step.entries[0]!.lane, Number(expected) - 1);
    }
    if (CHANGES_HISTORY.has(step.do)) this.undoable = 0;
    if (step.do !== 'commit' || !answer.includes('"committed"')) return;
    this.undoable = step.ages ? 0 : step.entries.reduce((sum, { events }) => sum + events, 0);
    for (const { lane, n } of step.entries) this.highest.set(lane, Math.max(n, this.highest.get(lane) ?? 0));
    const seqs = JSON.parse(/"seqs":(\[[^\]]*\])/.exec(answer)![1]!) as number[];
    for (const { name, json, entry } of step.documents) {
      if (json !== undefined) this.bases.set(name, { epoch: this.epoch, seq: seqs[entry!]! });
    }
  }

  /** Takes back the number of the last commit's end. */
  private writtenInPart(): Step {
    const seq = this.seq - 1 - this.random.below(this.undoable);
    this.undoable = 0;
    return { do: 'writtenInPart', seq };
  }

  private commit(): CommitStep {
    const { random } = this;
    const numbers = new Map(this.highest);
    const entries = Array.from({ length: 1 + random.below(3) }, () => this.entry(numbers));
    const documents = DOCUMENTS.filter(() => random.below(2) === 0).map((name) =>
      this.document(name, entries),
    );
    const age = random.below(20);
    return {
      do: 'commit',
      entries,
      documents,
      judgeOnly: random.below(12) === 0,
      ...(random.below(3) === 0 && { opens: false as const }),
      ...this.knownGate(),
      ...(random.below(4) > 0 && { inQueue: random.pick(NODES) }),
      ...(age === 0 && { ages: 'log' as const }),
      ...(age === 1 && { ages: 'room' as const }),
    };
  }

  private entry(numbers: Map<string, number>): EntryStep {
    const { random } = this;
    const isKey = random.below(6) === 0;
    const lane = random.pick(isKey ? KEYS : LANES);
    const highest = numbers.get(lane) ?? 0;
    const next = Math.max(1, highest + random.pick([1, 1, 1, 1, 1, 1, 1, 0, -1, 2, 34]));
    const n = isKey ? 1 : next;
    numbers.set(lane, Math.max(n, highest));
    const ending = random.below(20) === 0 ? this.ending() : undefined;
    const counters = !ending && random.below(4) === 0 ? [this.counter()] : undefined;
    const epoch = random.below(3) === 0 ? this.anyEpoch(random.below(this.epoch + 2)) : undefined;
    return {
      lane,
      n,
      generation: this.generation(lane),
      ended: random.below(25) === 0,
      ack: random.pick([0, n - 1, n - 1, n, n + 3, Math.max(0, n - 2)]),
      fingerprint: random.below(15) === 0 ? 'other' : `f${n}`,
      events: ending ? 1 : random.pick([0, 1, 1, 1, 2, 3]),
      text: random.pick(ODD),
      outcome: random.pick([
        {
          kind: 'result',
          json: counters ? '{"c":\x010\x02}' : JSON.stringify({ n, text: random.pick(ODD) }),
        },
        { kind: 'error', json: JSON.stringify({ code: 'x', message: random.pick(ODD) }) },
        { kind: 'position' },
        { kind: 'skipped' },
      ] as const),
      ...(!ending && random.below(4) === 0 && { patch: '{"d1":{"base":0,"ops":[]}}' }),
      ...(ending && { ending }),
      ...(counters && { counters }),
      ...(epoch !== undefined && { epoch }),
    };
  }

  private ending(): NonNullable<CommitEntry['ending']> {
    const { random } = this;
    const reason = random.pick(ODD);
    const kind = random.below(10);
    if (kind === 0) return { reason };
    if (kind > 7) return { reason, deleted: true };
    const name = random.below(4) === 0 ? `m${random.below(100)}` : random.pick(MEMBERS);
    return kind < 3 ? { session: name, reason } : { user: name, reason };
  }

  /** The present one as a rule. */
  private knownGate(): { readonly knownGate?: number } {
    const { random } = this;
    if (random.below(15) === 0) return {};
    return { knownGate: random.below(12) === 0 ? 1 : 0 };
  }

  /** An epoch that is known, now and then what a client made up. */
  private anyEpoch(known: number): number | string {
    return this.random.below(4) === 0 ? this.random.pick(ODD) : known;
  }

  /** The lane's own as a rule; sometimes a newer one, sometimes an older one. */
  private generation(lane: string): number {
    const { random } = this;
    const present = this.generations.get(lane) ?? 0;
    if (random.below(25) === 0) return Math.max(0, present - 1);
    const generation = present + (random.below(25) === 0 ? 1 : 0);
    this.generations.set(lane, generation);
    return generation;
  }

  private counter(): NonNullable<CommitEntry['counters']>[number] {
    const { random } = this;
    return {
      name: random.below(3) === 0 ? random.pick(ODD) : random.pick(['c1', 'c2']),
      by: random.pick([1, 2, -1, 5, -4, Number.MAX_SAFE_INTEGER - 3]),
      ...(random.below(2) === 0 && { min: random.pick([0, -3]) }),
      ...(random.below(2) === 0 && { max: random.pick([3, 10]) }),
    };
  }

  private document(name: string, entries: readonly EntryStep[]): CommitStep['documents'][number] {
    const { random } = this;
    const stale = random.below(8) === 0;
    const base = stale
      ? random.pick([undefined, { epoch: random.below(this.epoch + 2), seq: this.seq }])
      : this.bases.get(name);
    const writes = random.below(3) > 0;
    return {
      name,
      ...(base && { base }),
      ...(writes && {
        json: JSON.stringify({ v: random.below(1_000), text: random.pick(ODD) }),
        entry: random.below(entries.length),
      }),
    };
  }

  private resume(): Step {
    const { random } = this;
    const epoch = this.anyEpoch(Math.max(0, this.epoch - random.pick([0, 0, 0, 0, 1, 2, -1])));
    const from = { epoch, seq: Math.max(0, this.seq - random.pick([0, 0, 1, 2, 5, 9, -1, -4])) };
    const lane = random.pick(LANES);
    const documents = random.pick([true, false, 'ifLost'] as const);
    const most = random.pick([1_000, 1_000, 1_000, 3]);
    const limits = { entries: 1 + random.below(6), bytes: random.pick([1, 20, 60, 65_536]) };
    const idleTtlMs = random.pick([0, 60_000]);
    const what = {
      do: 'resume',
      most,
      documents,
      lane,
      idleTtlMs,
      holds: random.below(3) === 0,
      ...this.knownGate(),
      ...(random.below(2) === 0 && { limits }),
    } as const;
    if (random.below(4) > 0) return { ...what, from };
    return random.below(2) === 0 ? { ...what, newest: random.below(8) } : { ...what, after: from.seq };
  }

  private history(): Step {
    const { random } = this;
    const what = {
      do: 'history',
      events: 1 + random.below(8),
      bytes: random.pick([1, 40, 100, 65_536, 65_536]),
      idleTtlMs: random.pick([0, 60_000]),
    } as const;
    if (random.below(4) === 0) return what;
    const before = Math.max(1, this.seq + 1 - random.pick([0, 0, 1, 2, 5, 9, 20, -1, -4]));
    if (random.below(2) === 0) return { ...what, before };
    const epoch = this.anyEpoch(Math.max(0, this.epoch - random.pick([0, 0, 1, 1, 2, -1])));
    return { ...what, before, epoch };
  }
}
