import { type Command, engineUnavailable, GatewayError } from '@wss/core';
import type { Position } from '@wss/protocol';
import { type AttemptHooks, CommitAttempts, type GivenUp, takeNumbers } from './commit-attempts.js';
import { CommitPlan, type PlannedStep } from './commit-plan.js';
import { committedEntries } from './committed-entries.js';
import { NodeLane } from './node-lane.js';
import { SessionNumbers } from './session-numbers.js';
import { fillOutcome } from '../store/counter-slots.js';
import { RoomCopy } from '../documents/room-copy.js';
import { WriterQueue } from './writer-queue.js';
import {
  certain,
  type CommitterContext,
  failureOf,
  finalError,
  isForeign,
  MAX_BATCH,
  NOTHING,
  NOWHERE,
  OK,
  type PendingWork,
  type RoomLimits,
  refused,
  placeOf,
  withoutEffect,
  workIdentity,
} from './pending-work.js';
import {
  type Committed,
  type CommitReply,
  type CommitRequest,
  type Judged,
  type Verdict,
} from '../store/room-store.js';
import { refusalOf } from './refusals.js';
import type { Work, WorkResult } from './work.js';

/** Works that go out together, and what they are planned to leave. */
interface Batch {
  readonly open: readonly PendingWork[];
  readonly plan: CommitPlan;
}

/**
 * One room's commits on one node: works that arrive while a commit is under way go out together in the next one.
 *
 * A batch is resolved before the next is sent. Nodes that write the same room queue up (see
 * {@link WriterQueue}); on a conflict the works run again on the documents as they are then.
 */
export class RoomCommitter {
  private readonly queue: PendingWork[] = [];
  private readonly copy = new RoomCopy();
  private readonly lane: NodeLane;
  private readonly numbers = new SessionNumbers();
  private readonly writers: WriterQueue;
  private knownLimits: RoomLimits | undefined;
  private running = false;
  /** Of the last answer. */
  private epoch = '';
  /** Most works in the next batch. */
  private most = MAX_BATCH;

  constructor(
    private readonly room: string,
    private readonly context: CommitterContext,
  ) {
    this.lane = new NodeLane(room, context);
    this.writers = new WriterQueue(placeOf(room, context));
  }

  /** The settings of the room's type. */
  get limits(): RoomLimits {
    return (this.knownLimits ??= this.context.limitsOf(this.room));
  }

  /** True if nothing is queued or under way; only then may the committer be dropped. */
  get idle(): boolean {
    return !this.running;
  }

  /**
   * Queues a work. Rejects with what makes the command retry or give up; an error that is recorded as the
   * command's answer is a result.
   */
  submit(work: Work): Promise<WorkResult> {
    const number = work.command?.number;
    if (number) this.numbers.came(number);
    const since = this.context.now();
    return new Promise((resolve, reject) => {
      const mark = number ? undefined : this.lane.mark();
      this.queue.push({ work, resolve, reject, since, mark });
      if (!this.running) void this.run();
    });
  }

  /** Ends what it holds outside of memory. */
  close(): void {
    this.writers.close();
  }

  /** Resolves when everything that was submitted until now is settled; undefined if that is so already. */
  settled(): Promise<void> | undefined {
    if (!this.running) return undefined;
    const marker: Work = { room: this.room, deadline: Infinity, prepare: () => NOTHING };
    return this.submit(marker).then(
      () => undefined,
      () => undefined,
    );
  }

  private async run(): Promise<void> {
    this.running = true;
    this.writers.begin();
    while (this.queue.length > 0) {
      if (this.writers.waits) await this.awaitCall();
      await afterwards();
      const works = this.queue.splice(0, this.most);
      this.most = MAX_BATCH;
      try {
        await this.runBatch(works);
      } catch (error) {
        const failure = new GatewayError('internal', 'internal error', { cause: error });
        for (const pending of works) pending.reject(failure);
        this.copy.clear();
        // Whatever was recorded there, no later work must meet it.
        this.lane.renew();
      }
    }
    this.running = false;
    this.writers.rest();
  }

  private async runBatch(works: PendingWork[]): Promise<void> {
    const repeats = works.filter((pending) => this.isRepeat(pending));
    const fresh = repeats.length === 0 ? works : await this.answerRepeats(works, repeats);
    const open = this.dropLate(fresh);
    if (open.length === 0) return;
    const plan = this.plan(open);
    if (plan.isEmpty)
      return plan.steps.forEach((step, index) => this.settleEmpty(step, open[index]!, NOWHERE));
    const guessed = !this.copy.knows(plan.types);
    const inQueue = this.writers.hears && !guessed;
    const request = this.requestOf(plan);
    const reply = await this.send(inQueue ? { ...request, inQueue: this.context.nodeId } : request, {
      open,
      plan,
    });
    if (reply?.status === 'committed') {
      this.writers.won(reply, inQueue);
      this.settle(plan, open, reply);
    } else if (reply) {
      if (reply.conflict && !guessed) this.writers.lost(reply);
      this.answerJudged(plan, open, reply);
    }
    if (reply) this.follow(reply.position);
  }

  /** Follows the room into an epoch. Its numbers begin anew in a new lane: the last one's records don't count (R12). */
  private follow({ epoch }: Position): void {
    if (this.epoch !== '' && epoch !== this.epoch) this.lane.renew();
    this.epoch = epoch;
  }

  /** Where other nodes write this room too: waits until this one is called, and takes the documents as they are then. */
  private async awaitCall(): Promise<void> {
    const call = await this.writers.call();
    if (call && call.documents.size > 0) return this.copy.heard(call.documents);
    const { room, limits } = this;
    await this.copy.refresh(this.context.store, { room, idleTtlMs: limits.idleTtlMs });
  }

  /** Numbers that this node knows to be recorded never enter a batch (R2). */
  private async answerRepeats(batch: PendingWork[], repeats: PendingWork[]): Promise<PendingWork[]> {
    const plan = this.plan(repeats, true);
    const request = { ...this.requestOf(plan), documents: [], judgeOnly: true };
    const reply = await this.send(request, { open: repeats, plan });
    if (!reply) return batch.filter((pending) => !repeats.includes(pending));
    const again = this.answerVerdicts(plan, repeats, reply as Judged);
    for (const { work } of again) this.numbers.forget(work.command!.number!.session);
    return batch.filter((pending) => !repeats.includes(pending) || again.includes(pending));
  }

  private isRepeat({ work: { command } }: PendingWork): boolean {
    return command?.number !== undefined && this.numbers.isRepeat(command.number);
  }

  /** Notes that a numbered command ended without a record. */
  noteMissing({ number }: Command): void {
    if (number) this.numbers.unrecorded(number);
  }

  private dropLate(open: PendingWork[]): PendingWork[] {
    const now = this.context.now();
    return open.filter((pending) => {
      const number = pending.work.command?.number;
      const expected = number && this.numbers.missingBefore(number);
      if (expected !== undefined) {
        pending.reject(refusalOf({ kind: 'out_of_order', expected }));
        return false;
      }
      if (now < pending.work.deadline) return true;
      const code = pending.tried ? 'conflict' : 'unavailable';
      this.reject(pending, new GatewayError(code, 'the deadline passed before the commit'));
      return false;
    });
  }

  private plan(open: readonly PendingWork[], recordsOnly = false): CommitPlan {
    if (open.some(({ work }) => !work.command?.number)) this.lane.refresh();
    const plan = new CommitPlan(this.copy, this.lane);
    for (const { work, mark } of open) {
      plan.add(recordsOnly ? { ...workIdentity(work), prepare: () => NOTHING } : work, mark);
    }
    return plan;
  }

  private requestOf(plan: CommitPlan): CommitRequest {
    const { history, idleTtlMs } = this.limits;
    return { room: this.room, entries: plan.entries, documents: plan.writes, history, idleTtlMs };
  }

  /** Sends a commit until its outcome is known; gives up, answers the works and resolves to nothing when that is in vain. */
  private async send(request: CommitRequest, batch: Batch): Promise<CommitReply | undefined> {
    for (const pending of batch.open) pending.tried = true;
    const hooks: AttemptHooks = {
      prepare: () => (batch.plan.nodeEntries > 0 ? this.lane.open() : undefined),
      onUnknown: () => {
        for (const pending of batch.open) pending.unknown = true;
      },
    };
    const answer = await new CommitAttempts(this.context, request, hooks).resolve();
    if (answer.status !== 'given up') return answer;
    await this.giveUp(batch, answer);
    return undefined;
  }

  private async giveUp({ open, plan }: Batch, givenUp: GivenUp): Promise<void> {
    const failure = failureOf(givenUp);
    const unknown = open.some((pending) => pending.unknown);
    for (const pending of open) this.reject(pending, failure);
    // A commit that failed by itself says nothing of those that come after it.
    if (!givenUp.absent) for (const pending of this.queue.splice(0)) this.reject(pending, failure);
    this.copy.clear();
    if (unknown && (givenUp.underWay || !givenUp.absent)) await this.closeNodeNumbers(plan);
  }

  /**
   * After a lost answer: proves that the node's numbers of this plan are recorded, by recording them without an
   * effect where they are not (R12). Until that is done no other commit of the room is sent.
   */
  private async closeNodeNumbers(plan: CommitPlan): Promise<void> {
    const own = plan.entries.filter(({ lane }) => lane.id === this.lane.lane.id);
    if (own.length === 0) return;
    const entries = own.map(withoutEffect);
    const request = { ...this.requestOf(plan), documents: [], entries };
    const isTaken = await takeNumbers(this.context, request, () => this.rejectWaiting());
    if (isTaken) this.lane.advance(own.length);
    else this.lane.renew();
  }

  private rejectWaiting(): void {
    const now = this.context.now();
    while (this.queue[0] && now - this.queue[0].since >= this.context.patienceMs) {
      this.reject(this.queue.shift()!, engineUnavailable());
    }
  }

  private settle(plan: CommitPlan, open: readonly PendingWork[], reply: Committed): void {
    const { epoch } = reply.position;
    plan.steps.forEach((step, index) => this.settleStep(step, open[index]!, plan, reply));
    this.copy.written(plan.written(epoch, reply.seqs));
    if (plan.nodeEntries > 0) this.lane.advance(plan.nodeEntries);
    const entries = committedEntries(plan.entries, reply);
    if (entries.length > 0) this.context.onCommitted(this.room, epoch, entries);
  }

  /** Answers a step that leaves nothing behind as it was found, even without the engine where nothing was read. */
  private settleEmpty({ error, prepared }: PlannedStep, pending: PendingWork, position: Position): void {
    if (error) return this.reject(pending, error);
    pending.resolve({ outcome: prepared!.outcome, position, duplicate: false });
  }

  private settleStep(step: PlannedStep, pending: PendingWork, plan: CommitPlan, reply: Committed): void {
    const { epoch, seq } = reply.position;
    if (step.entry === undefined) return this.settleEmpty(step, pending, { epoch, seq });
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

  /** Answers what the verdicts settle and queues the rest first, to be run again on the documents as they are now. */
  private answerJudged(plan: CommitPlan, open: readonly PendingWork[], reply: Judged): void {
    for (const type of plan.types) this.copy.seen(type, reply.documents.get(type.name));
    this.queue.unshift(...this.answerVerdicts(plan, open, reply));
  }

  private answerVerdicts(plan: CommitPlan, open: readonly PendingWork[], reply: Judged): PendingWork[] {
    const verdicts = plan.steps.map(({ entry }) => (entry === undefined ? OK : reply.verdicts[entry]!));
    const isOwn = (index: number): boolean =>
      plan.entries[plan.steps[index]!.entry!]!.lane === this.lane.lane;
    const lostLane = verdicts.some((verdict, index) => isForeign(verdict) && isOwn(index));
    const count = certain(verdicts);
    this.queue.unshift(...open.slice(count));
    const again = open.slice(0, count).flatMap((pending, index) => {
      const verdict = verdicts[index]!;
      if (verdict.kind === 'ok') return [pending];
      if (isForeign(verdict) && isOwn(index)) return this.again(pending, verdict);
      if (verdict.kind === 'bound') return [{ ...pending, work: refused(pending.work, refusalOf(verdict)) }];
      if (verdict.kind === 'duplicate') this.answerDuplicate(pending, verdict, reply, isOwn(index));
      else if (verdict.kind !== 'later') pending.reject(refusalOf(verdict));
      return [];
    });
    if (lostLane) this.loseLane();
    if (count < open.length && again.length > 0) this.most = again.length;
    return again;
  }

  /** The lane may be over because the engine's clock was set. */
  private loseLane(): void {
    this.context.time.forget();
    this.lane.renew();
  }

  /** A number of the node's own was given to another work, or its record is gone: then nobody knows what it was done. */
  private again(pending: PendingWork, { kind }: Verdict): PendingWork[] {
    if (!pending.unknown || kind === 'reused') return [pending];
    this.reject(pending, new GatewayError('unavailable', 'the record of the command is gone'));
    return [];
  }

  private answerDuplicate(
    pending: PendingWork,
    { record }: Extract<Verdict, { kind: 'duplicate' }>,
    { position, replicationId }: Judged,
    own: boolean,
  ): void {
    if (own) this.lane.advance(1);
    else if (pending.work.command?.number) this.numbers.recorded(pending.work.command.number);
    pending.resolve({
      outcome: record?.outcome ?? { kind: 'skipped' },
      position: { epoch: position.epoch, seq: record?.seq ?? position.seq },
      duplicate: !own,
      replicationId,
      ...(!record && { forgotten: true }),
    });
  }

  private reject(pending: PendingWork, error: GatewayError): void {
    if (pending.work.command) this.noteMissing(pending.work.command);
    pending.reject(finalError(pending, error));
  }
}

/** Resolves when what is under way in this turn of the event loop has run: works that follow from it join the batch. */
function afterwards(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
