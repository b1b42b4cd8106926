import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Command,
  type CommandNumber,
  engineUnavailable,
  gatePosition,
  GatewayError,
  type RateCharge,
  roomDeleted,
  RoomGate,
  toGatewayError,
} from '@wss/core';
import type { Position } from '@wss/protocol';
import { RoomCopy } from '../documents/room-copy.js';
import { NodeLane } from '../lanes/node-lane.js';
import { SessionNumbers } from '../lanes/session-numbers.js';
import type { Committed, CommitRequest, Judged } from '../store/room-store.js';
import { BatchAnswers } from './batch-answers.js';
import {
  type Batch,
  BatchSender,
  closeNodeNumbers,
  failureOf,
  type GivenUp,
  type Sending,
} from './batch-sender.js';
import { CommitPlan } from './commit-plan.js';
import { committedEntries } from './committed-entries.js';
import { type CommitterContext, placeOf, type RoomLimits } from './committer-context.js';
import {
  endOf,
  findKeyWork,
  findWork,
  MAX_BATCH,
  NOTHING,
  NOWHERE,
  numberOf,
  type PendingWork,
  refused,
  takeBatch,
  workIdentity,
} from './pending-work.js';
import { refusalOf } from './refusals.js';
import { UsedUpLimits } from './used-up-limits.js';
import { opensLife, type Work, type WorkResult } from './work.js';
import { WriterQueue } from './writer-queue.js';

const NO_RECORD: WorkResult = { outcome: NOTHING.outcome, position: NOWHERE, duplicate: false };

/**
 * One room's commits on one node: works that arrive while a commit is under way go out together in the next one.
 *
 * A batch is resolved before the next is sent. Nodes that write the same room queue up (see {@link WriterQueue}); on
 * a conflict the works run again on the present documents.
 */
export class RoomCommitter {
  private readonly queue: PendingWork[] = [];
  private readonly copy = new RoomCopy();
  private readonly lane: NodeLane;
  private readonly sending: Sending;
  private readonly answers: BatchAnswers;
  private readonly numbers = new SessionNumbers();
  private readonly writers: WriterQueue;
  private readonly usedUp = new UsedUpLimits();
  private knownLimits: RoomLimits | undefined;
  private running = false;
  /** Epoch of the last answer. */
  private epoch = '';
  /** The endings of memberships that are applied to the works (R38). */
  private gate = RoomGate.OPEN;
  /** Largest number of works in the next batch. */
  private most = MAX_BATCH;

  constructor(
    private readonly room: string,
    private readonly context: CommitterContext,
  ) {
    this.lane = new NodeLane(room, context);
    this.sending = { context, lane: this.lane };
    this.answers = new BatchAnswers(this.lane, this.numbers);
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
   * Queues a work. Rejects with the error that makes the command retry or give up; an error that is recorded as the
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

  /** Releases everything that it holds outside of memory. */
  close(): void {
    this.writers.close();
  }

  /** Resolves when everything that was submitted until now is settled; undefined if it is settled already. */
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
      const works = takeBatch(this.queue, this.most);
      const hasLeft = this.queue.length > 0;
      this.most = MAX_BATCH;
      try {
        await this.runBatch(works);
      } catch (error) {
        const failure = new GatewayError('internal', 'internal error', { cause: error });
        for (const pending of works) pending.reject(failure);
        this.copy.clear();
        // A new lane keeps later works from the records of these.
        this.lane.renew();
      }
      // The rest waits for a later turn, so that others have theirs.
      if (hasLeft) await nextTurn();
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
      return plan.steps.forEach((step, index) => this.answers.empty(step, open[index]!, NOWHERE));
    const guessed = !this.copy.knows(plan.types);
    const inQueue = this.writers.hears && !guessed;
    const request = this.requestOf(plan);
    const batch = { open, plan };
    const sent = inQueue ? { ...request, inQueue: this.context.nodeId } : request;
    const reply = await new BatchSender(this.sending, sent, batch).send();
    if (reply.status === 'given up') return this.giveUp(batch, reply);
    if (reply.status === 'committed') {
      this.writers.won(reply, inQueue);
      this.settle(batch, reply);
    } else {
      if (reply.conflict && !guessed) this.writers.lost(reply);
      this.answerJudged(batch, reply);
    }
    this.follow(reply.position);
  }

  /**
   * Follows the room into an epoch. Its numbers begin again in a new lane, because the records of the last one don't
   * count (R12).
   */
  private follow({ epoch }: Position): void {
    if (this.epoch !== '' && epoch !== this.epoch) this.lane.renew();
    this.epoch = epoch;
  }

  /** If other nodes write this room too: waits until this node is called, and takes the documents of that moment. */
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
    const others = batch.filter((pending) => !repeats.includes(pending));
    const reply = await new BatchSender(this.sending, request, { open: repeats, plan }).send();
    if (reply.status === 'given up') {
      await this.giveUp({ open: repeats, plan }, reply);
      return others;
    }
    const again = this.answerVerdicts({ open: repeats, plan }, reply as Judged);
    if (again.length === 0) return others;
    for (const { work, resolve } of again) {
      if (work.finds) resolve(NO_RECORD);
      else this.numbers.forget(work.command!.number!.session);
    }
    return batch.filter(
      (pending) => !repeats.includes(pending) || (again.includes(pending) && !pending.work.finds),
    );
  }

  /** True for a work that the engine judges and does not carry out. */
  private isRepeat({ work: { command, finds } }: PendingWork): boolean {
    return finds || (command?.number !== undefined && this.numbers.isRepeat(command.number));
  }

  /** @throws GatewayError `out_of_order` if an earlier number left no record */
  private requireOrder(number: CommandNumber): void {
    const expected = this.numbers.missingBefore(number);
    if (expected !== undefined) throw refusalOf({ kind: 'out_of_order', expected });
  }

  /**
   * Finds the record of a numbered command; undefined if there is none.
   * @throws GatewayError when the number is refused or the engine is out of reach
   */
  async find(command: Command): Promise<WorkResult | undefined> {
    const number = command.number!;
    this.numbers.came(number);
    this.requireOrder(number);
    if (this.numbers.isNew(number)) return undefined;
    try {
      const result = await this.submit(findWork(command));
      return result === NO_RECORD ? undefined : result;
    } catch (error) {
      // The numbers before it may be under way, so this is judged when it is recorded.
      if (['out_of_order', 'session_expired'].includes(toGatewayError(error).code)) return undefined;
      throw error;
    }
  }

  /**
   * Finds the record of a work's key; undefined if there is none.
   * @throws GatewayError when the key is refused or the engine is out of reach
   */
  async findKey(work: Work): Promise<WorkResult | undefined> {
    const result = await this.submit(findKeyWork(work));
    return result === NO_RECORD ? undefined : result;
  }

  /** How long charges are known to be refused, ms; 0 if that is not known. */
  waitOf(charges: readonly RateCharge[]): number {
    return this.usedUp.waitOf(charges, this.context.now());
  }

  /** Notes that a numbered command ended without a record. */
  noteMissing({ number }: Command): void {
    if (number) this.numbers.unrecorded(number);
  }

  private dropLate(open: PendingWork[]): PendingWork[] {
    const now = this.context.now();
    return open.filter((pending) => {
      const ended = endOf(pending, this.gate);
      if (ended && !this.end(pending, ended)) return false;
      const number = numberOf(pending);
      const expected = number && this.numbers.missingBefore(number);
      if (expected !== undefined) {
        pending.reject(refusalOf({ kind: 'out_of_order', expected }));
        return false;
      }
      if (now < pending.work.deadline) return true;
      const code = pending.tried ? 'conflict' : 'unavailable';
      this.answers.reject(pending, new GatewayError(code, 'the deadline passed before the commit'));
      return false;
    });
  }

  /**
   * Ends a work whose sender is not a member any more. In a deleted room its number is recorded with that, so it goes on
   * (R38); returns true then.
   */
  private end(pending: PendingWork, error: GatewayError): boolean {
    const { command } = pending.work;
    const isRecorded = error.code === 'not_found' && command?.number !== undefined;
    if (isRecorded) pending.work = refused(pending.work, error);
    else this.answers.reject(pending, error);
    return isRecorded;
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
    const { room, gate } = this;
    const opens = plan.steps.every(({ work }) => opensLife(work));
    return { room, entries: plan.entries, documents: plan.writes, history, idleTtlMs, gate: gate.at, opens };
  }

  private async giveUp({ open, plan }: Batch, givenUp: GivenUp): Promise<void> {
    const failure = failureOf(givenUp);
    const unknown = open.some((pending) => pending.unknown);
    for (const pending of open) this.answers.reject(pending, failure);
    // A commit that failed by itself says nothing about those after it.
    if (!givenUp.absent) for (const pending of this.queue.splice(0)) this.answers.reject(pending, failure);
    this.copy.clear();
    if (unknown && (givenUp.underWay || !givenUp.absent)) {
      await closeNodeNumbers(this.sending, this.requestOf(plan), () => this.rejectWaiting());
    }
  }

  private rejectWaiting(): void {
    const now = this.context.now();
    while (this.queue[0] && now - this.queue[0].since >= this.context.patienceMs) {
      this.answers.reject(this.queue.shift()!, engineUnavailable());
    }
  }

  private settle(batch: Batch, reply: Committed): void {
    const { plan } = batch;
    const { epoch } = reply.position;
    this.answers.committed(batch, reply);
    this.copy.written(plan.written(epoch, reply.seqs));
    plan.entries.forEach(({ ending }, index) => {
      if (ending) this.gate = this.gate.with(ending, gatePosition({ epoch, seq: reply.seqs[index]! }));
      if (ending?.deleted) this.copy.clear();
    });
    const entries = committedEntries(plan.entries, reply);
    if (entries.length > 0) this.context.onCommitted(this.room, epoch, entries);
  }

  /**
   * Answers the works that the verdicts settle, and puts the rest at the front of the queue, to run again on the
   * present documents.
   */
  private answerJudged(batch: Batch, reply: Judged): void {
    for (const type of batch.plan.types) this.copy.seen(type, reply.documents.get(type.name));
    const again = this.answerVerdicts(batch, reply);
    // Work that comes late does not bring a deleted room back.
    const isLate = ({ work }: PendingWork): boolean => reply.isDeleted === true && !opensLife(work);
    for (const pending of again.filter(isLate)) this.answers.reject(pending, roomDeleted());
    this.queue.unshift(...again.filter((pending) => !isLate(pending)));
  }

  /** Returns the works that run again at once; those that can't be judged yet are queued behind them. */
  private answerVerdicts(batch: Batch, reply: Judged): readonly PendingWork[] {
    if (reply.gate) this.gate = reply.gate;
    this.usedUp.note(reply.verdicts, this.context.now());
    const { again, deferred, isLaneLost } = this.answers.judged(batch, reply);
    this.queue.unshift(...deferred);
    if (isLaneLost) this.loseLane();
    if (deferred.length > 0 && again.length > 0) this.most = again.length;
    return again;
  }

  /** Starts a new lane. The old one may be over because the engine's clock was set. */
  private loseLane(): void {
    this.context.time.forget();
    this.lane.renew();
  }
}

/**
 * Resolves when everything under way in this turn of the event loop has run: works that follow from it join the
 * batch.
 */
function afterwards(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
