import { toGatewayError, type GatewayError } from '@wss/core';
import { type EncodedEvent, ERROR_CODES } from '@wss/protocol';
import { SharingCopy } from '../documents/clone.js';
import type { DocumentState, DocumentType } from '../documents/document-type.js';
import { fingerprintOf } from '../store/fingerprint.js';
import type { BatchView, DocumentChange } from '../documents/document-drafts.js';
import { diffJson } from '../documents/json-patch.js';
import { positionKey, seqOf } from '../store/log-format.js';
import { laneOfKey } from '../lanes/once-key.js';
import { refusalOf } from './refusals.js';
import type { CommitEntry, DocumentWrite, CommitLane } from '../store/room-store.js';
import type { CopiedDocument, RoomCopy } from '../documents/room-copy.js';
import { isRecorded, type Prepared, type Work } from './work.js';

/** The event of a document change without an event of its own (R16). */
export const CHANGED: EncodedEvent = { event: '"$changed"', data: '{}' };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A document while a plan is made. */
interface PlannedDocument extends CopiedDocument {
  /** Entry that changed it last, and the number of the plan's events up to that entry's end. */
  readonly changed?: { readonly entry: number; readonly events: number };
}

/** One work of a plan. */
export interface PlannedStep {
  readonly work: Work;
  /** Its result; absent if it threw. */
  readonly prepared?: Prepared;
  readonly error?: GatewayError;
  /** Its entry in the commit; absent if it has no effects. */
  readonly entry?: number;
}

/** The lane of works that no client numbered. */
export interface NodeNumbers {
  readonly lane: CommitLane;
  /** Highest number that is known to be recorded. */
  readonly highest: number;
}

/** Runs works one after another on one copy, and collects their effects into one commit (R11). */
export class CommitPlan implements BatchView {
  readonly steps: PlannedStep[] = [];
  readonly entries: CommitEntry[] = [];
  /** Lanes of the keys of its works. */
  readonly keys: CommitLane[] = [];

  private readonly documents = new Map<string, PlannedDocument>();
  /** Sessions with a command whose failure leaves its number open, and that number. */
  private readonly unrecorded = new Map<string, number>();
  private events = 0;
  private ownNumbers = 0;

  constructor(
    private readonly copy: RoomCopy,
    private readonly numbers: NodeNumbers,
  ) {}

  /** @param mark the fingerprint of a work that the client did not number */
  add(work: Work, mark = ''): void {
    const { session = '', n } = work.command?.number ?? {};
    const expected = this.unrecorded.get(session);
    if (expected === n) this.unrecorded.delete(session);
    else if (expected !== undefined) {
      this.steps.push({ work, error: refusalOf({ kind: 'out_of_order', expected }) });
      return;
    }
    try {
      this.addPrepared(work, work.prepare(this), mark);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const counts = isRecorded(work) || chargesOf(work) !== undefined;
      if (!counts || !ERROR_CODES[error.code].consumesN) {
        this.steps.push({ work, error });
        if (work.command?.number) this.unrecorded.set(work.command.number.session, work.command.number.n);
        return;
      }
      const outcome = { kind: 'error', json: JSON.stringify(error.toBody()) } as const;
      const entry = this.push(work, { events: [], changes: [], counters: [], outcome }, mark);
      this.steps.push({ work, error, entry });
    }
  }

  document<D extends object>(type: DocumentType<D>): DocumentState<D> {
    const known = this.documents.get(type.name);
    if (known) return known as unknown as DocumentState<D>;
    const planned = this.copy.document(type);
    this.documents.set(type.name, planned as unknown as PlannedDocument);
    return planned;
  }

  /** True if it read nothing and has no effects. */
  get isEmpty(): boolean {
    return this.entries.length === 0 && this.documents.size === 0;
  }

  /** Number of entries in the node's own lane. */
  get nodeEntries(): number {
    return this.ownNumbers;
  }

  /** The document classes that the plan read. */
  get types(): DocumentType<object>[] {
    return [...this.documents.values()].map(({ type }) => type);
  }

  /** The documents that the plan depends on or changes. */
  get writes(): DocumentWrite[] {
    const writes: DocumentWrite[] = [];
    for (const { type, base, json, changed } of this.documents.values()) {
      const { name } = type;
      writes.push(changed ? { name, base, json, entry: changed.entry } : { name, base });
    }
    return writes;
  }

  /** The changed documents, in their state once the entries are written at these numbers. */
  written(epoch: string, seqs: readonly number[]): CopiedDocument[] {
    const written: CopiedDocument[] = [];
    for (const { type, value, json, plain, changed } of this.documents.values()) {
      if (!changed) continue;
      const base = positionKey({ epoch, seq: seqs[changed.entry]! });
      written.push({ type, value, json, plain, base });
    }
    return written;
  }

  private addPrepared(work: Work, prepared: Prepared, mark: string): void {
    const silent =
      prepared.events.length === 0 && prepared.changes.length === 0 && prepared.counters.length === 0;
    if (silent && !isRecorded(work) && !chargesOf(work)) {
      this.steps.push({ work, prepared });
      return;
    }
    const entry = this.push(work, prepared, mark);
    this.steps.push({ work, prepared, entry });
  }

  private push(work: Work, prepared: Prepared, mark: string): number {
    const { events, changes, counters, outcome, ending } = prepared;
    const alone = events.length === 0 && (changes.length > 0 || counters.length > 0);
    const logged = alone ? [CHANGED] : events;
    this.events += logged.length;
    const index = this.entries.length;
    const patch = this.applyChanges(changes, index);
    const entry = this.identified(work, mark, { events: logged, outcome });
    if (patch !== undefined) entry.patch = patch;
    if (counters.length > 0) entry.counters = counters;
    if (ending) entry.ending = ending;
    const charges = chargesOf(work);
    if (charges) entry.charges = charges;
    this.entries.push(entry);
    return index;
  }

  /** One literal for each kind of entry, because spreading an object into another costs more than all the rest. */
  private identified(
    { command, once }: Work,
    mark: string,
    { events, outcome }: Pick<CommitEntry, 'events' | 'outcome'>,
  ): Mutable<CommitEntry> {
    if (once) {
      const lane = laneOfKey(once);
      this.keys.push(lane);
      return { lane, n: 1, ack: 0, fingerprint: once.fingerprint, events, outcome };
    }
    if (!command?.number) {
      const { lane, highest } = this.numbers;
      const n = highest + ++this.ownNumbers;
      return { lane, n, ack: highest, fingerprint: mark, events, outcome };
    }
    const { session, generation, sessionEndsAt, n, ack, epoch } = command.number;
    const lane = { id: session, generation, endsAt: sessionEndsAt };
    const entry: Mutable<CommitEntry> = {
      lane,
      n,
      ack,
      fingerprint: fingerprintOf(command),
      events,
      outcome,
    };
    if (epoch !== undefined) entry.epoch = epoch;
    return entry;
  }

  private applyChanges(changes: readonly DocumentChange[], entry: number): string | undefined {
    if (changes.length === 0) return undefined;
    return `{${changes.map((change) => this.applyChange(change, entry)).join(',')}}`;
  }

  /**
   * Takes over a change, as a copy, since the function may still hold the value, and returns its part of the patch.
   * The patch names the document's base version, which inside a batch is known only as a distance (see `PATCH_BASE`).
   */
  private applyChange({ type, value: draft, json }: DocumentChange, entry: number): string {
    const before = this.documents.get(type.name)!;
    const { value, isJson } = new SharingCopy(draft, before.value);
    const plain: unknown = isJson ? value : JSON.parse(json);
    const ops = JSON.stringify(diffJson(before.plain ?? JSON.parse(before.json), plain));
    const distance = before.changed && `\x03${this.events - before.changed.events}\x04`;
    const changed = { entry, events: this.events };
    this.documents.set(type.name, { type, base: before.base, value, json, plain, changed });
    return `${type.jsonName}:{"base":${distance ?? seqOf(before.base)},"ops":${ops}}`;
  }
}

function chargesOf({ charges, command }: Work): CommitEntry['charges'] {
  return charges ?? command?.charges;
}
