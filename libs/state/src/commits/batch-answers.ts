import type { GatewayError } from '@wss/core';
import type { Position } from '@wss/protocol';
import type { NodeLane } from '../lanes/node-lane.js';
import type { SessionNumbers } from '../lanes/session-numbers.js';
import { fillOutcome } from '../store/counter-slots.js';
import type { Committed, Judged, Verdict } from '../store/room-store.js';
import type { Batch } from './batch-sender.js';
import type { PlannedStep } from './commit-plan.js';
import { finalError, numberOf, type PendingWork, refused } from './pending-work.js';
import { decide, type Decision } from './verdicts.js';

/** The verdict on a work that writes nothing. */
const OK: Verdict = { kind: 'ok' };

/** Answers the works of one room's batches, and notes the outcome of their numbers. */
export class BatchAnswers {
  constructor(
    private readonly lane: NodeLane,
    private readonly numbers: SessionNumbers,
  ) {}

  /** Answers the works of a batch that was written. */
  committed(batch: Batch, reply: Committed): void {
    batch.plan.steps.forEach((step, index) => this.settle(step, batch.open[index]!, { batch, reply }));
    if (batch.plan.nodeEntries > 0) this.lane.advance(batch.plan.nodeEntries);
  }

  /** Answers a step without effects, even without the engine if nothing was read. */
  empty({ error, prepared }: PlannedStep, pending: PendingWork, position: Position): void {
    if (error) return this.reject(pending, error);
    pending.resolve({ outcome: prepared!.outcome, position, duplicate: false });
  }

  /**
   * Answers the works that the verdicts settle; returns those that run again, and those that can be judged only after
   * them.
   */
  judged(
    { plan, open }: Batch,
    reply: Judged,
  ): {
    readonly again: readonly PendingWork[];
    readonly deferred: readonly PendingWork[];
    readonly isLaneLost: boolean;
  } {
    const judged = plan.steps.map(({ entry }, index) => ({
      verdict: entry === undefined ? OK : reply.verdicts[entry]!,
      isOwn: entry !== undefined && plan.entries[entry]!.lane === this.lane.lane,
      isKey: entry !== undefined && plan.entries[entry]!.lane.once !== undefined,
      unknown: open[index]!.unknown === true,
    }));
    const { works, isLaneLost } = decide(judged, reply);
    const again = works.flatMap((decision, index) =>
      this.carryOut(decision, open[index]!, judged[index]!.isOwn),
    );
    return { again, deferred: open.slice(works.length), isLaneLost };
  }

  /** Answers a work with an error that leaves no record. */
  reject(pending: PendingWork, error: GatewayError): void {
    const number = numberOf(pending);
    if (number) this.numbers.unrecorded(number);
    pending.reject(finalError(pending, error));
  }

  private settle(
    step: PlannedStep,
    pending: PendingWork,
    { batch: { plan }, reply }: { readonly batch: Batch; readonly reply: Committed },
  ): void {
    const { epoch, seq } = reply.position;
    if (step.entry === undefined) return this.empty(step, pending, { epoch, seq });
    if (step.work.command?.number) this.numbers.recorded(step.work.command.number);
    const entry = plan.entries[step.entry]!;
    pending.resolve({
      outcome: fillOutcome(entry.outcome, plan.entries, step.entry, reply.counters),
      position: { epoch, seq: reply.seqs[step.entry]! },
      duplicate: false,
      replicationId: reply.replicationId,
      error: step.error,
    });
  }

  /** Carries out a decision on a work; returns the works that run again. */
  private carryOut(decision: Decision, pending: PendingWork, isOwn: boolean): PendingWork[] {
    switch (decision.kind) {
      case 'again':
        return [pending];
      case 'refused':
        return [{ ...pending, work: refused(pending.work, decision.error) }];
      case 'answered':
        if (isOwn) this.lane.advance(1);
        else if (pending.work.command?.number) this.numbers.found(pending.work.command.number);
        pending.resolve(decision.result);
        return [];
      case 'rejected':
        pending.reject(decision.error);
        return [];
      case 'lost':
        this.reject(pending, decision.error);
        return [];
    }
  }
}
