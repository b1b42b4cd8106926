import { GatewayError } from '@wss/core';
import type { Judged, Verdict } from '../store/room-store.js';
import { keyRefusalOf, refusalOf } from './refusals.js';
import type { WorkResult } from './work.js';

/** The verdict on one work of a batch, and the facts that decide on it. */
export interface JudgedWork {
  readonly verdict: Verdict;
  /** True if its number is in the node's own lane. */
  readonly isOwn: boolean;
  /** True if its number is that of a key that takes effect once. */
  readonly isKey: boolean;
  /** True if the answer to an earlier attempt was lost. */
  readonly unknown: boolean;
}

/** The decision on one work after its verdict. */
export type Decision =
  /** It runs again, on the present documents. */
  | { readonly kind: 'again' }
  /** This error takes its place in the next batch, and is recorded there. */
  | { readonly kind: 'refused'; readonly error: GatewayError }
  /** Its number was applied before: this is its result. */
  | { readonly kind: 'answered'; readonly result: WorkResult }
  /** Its number is refused; nothing is recorded. */
  | { readonly kind: 'rejected'; readonly error: GatewayError }
  /** Its number stays open; or it is unknown if it was done. */
  | { readonly kind: 'lost'; readonly error: GatewayError };

/** The decisions on a batch that was judged and not written. */
export interface Decisions {
  /** Decisions on the first works; later ones can be judged only when these are settled. */
  readonly works: readonly Decision[];
  /** True if the node's lane is over, or its numbers belong to other works. */
  readonly isLaneLost: boolean;
}

/** The part of the engine's answer that is the same for all works of the batch. */
type JudgedBatch = Pick<Judged, 'conflict' | 'position' | 'replicationId'>;

/** Decides on the works of a batch that the engine judged and did not write. */
export function decide(works: readonly JudgedWork[], reply: JudgedBatch): Decisions {
  const certain = works.slice(0, countCertain(works));
  return {
    works: certain.map((work) => decideOne(work, reply)),
    isLaneLost: works.some(({ verdict, isOwn }) => isOwn && isForeign(verdict)),
  };
}

function decideOne({ verdict, isOwn, isKey, unknown }: JudgedWork, reply: JudgedBatch): Decision {
  if (verdict.kind === 'ok' || verdict.kind === 'later') return { kind: 'again' };
  if (isOwn && isForeign(verdict)) {
    // A missing record does not show what an attempt did whose answer was lost.
    if (!unknown || verdict.kind === 'reused') return { kind: 'again' };
    return { kind: 'lost', error: new GatewayError('unavailable', 'the record of the command is gone') };
  }
  if (verdict.kind === 'limited' || verdict.kind === 'full') {
    const isOpen = (isOwn || isKey) && unknown;
    const error = isOpen
      ? new GatewayError('unavailable', 'an attempt may still be done')
      : refusalOf(verdict);
    return { kind: 'lost', error };
  }
  if (verdict.kind === 'bound') {
    // Its counts may follow from a document that has changed.
    return reply.conflict ? { kind: 'again' } : { kind: 'refused', error: refusalOf(verdict) };
  }
  if (verdict.kind !== 'duplicate')
    return { kind: 'rejected', error: isKey ? keyRefusalOf(verdict) : refusalOf(verdict) };
  return { kind: 'answered', result: recordedResult(verdict, isOwn, reply) };
}

function recordedResult(
  { record }: Extract<Verdict, { kind: 'duplicate' }>,
  isOwn: boolean,
  { position, replicationId }: JudgedBatch,
): WorkResult {
  return {
    outcome: record?.outcome ?? { kind: 'skipped' },
    position: { epoch: position.epoch, seq: record?.seq ?? position.seq },
    duplicate: !isOwn,
    replicationId,
    ...(!record && { forgotten: true }),
  };
}

/** True for a verdict on a number of the node's own lane that belongs to another work, or whose record does. */
function isForeign(verdict: Verdict): boolean {
  const { kind } = verdict;
  if (kind === 'duplicate') return !verdict.record;
  return kind === 'reused' || kind === 'out_of_order' || kind === 'expired';
}

/**
 * Returns how many works of a batch can be judged now. Two kinds can be judged only when the earlier works are
 * written: a number that occurs twice in the batch, and a counter that would leave its bounds after other works of
 * the batch changed it. They wait for the next batch but one, with all works behind them.
 */
function countCertain(works: readonly JudgedWork[]): number {
  const first = works.findIndex(
    ({ verdict: { kind } }, index) => kind === 'later' || (kind === 'bound' && index > 0),
  );
  return first < 0 ? works.length : first;
}
