import { setTimeout as delay } from 'node:timers/promises';
import { engineUnavailable, GatewayError } from '@wss/core';
import type { NodeLane } from '../lanes/node-lane.js';
import { openKeys } from '../lanes/once-key.js';
import type { CommitReply, CommitRequest, Judged } from '../store/room-store.js';
import { StoreError, UnknownFormat } from '../store/store-errors.js';
import type { CommitPlan } from './commit-plan.js';
import type { CommitterContext } from './committer-context.js';
import { type PendingWork, withoutEffect } from './pending-work.js';

/** Works that go out together, and the plan of their commit. */
export interface Batch {
  readonly open: readonly PendingWork[];
  readonly plan: CommitPlan;
}

/** The reason for which a commit was given up. */
export interface GivenUp {
  readonly status: 'given up';
  readonly error: StoreError;
  /** True if the engine failed twice in the same way, and it is proven that nothing was written. */
  readonly absent: boolean;
  /** True if an attempt got no answer and may still be carried out. */
  readonly underWay: boolean;
}

/** The error for the works of a commit that was given up. */
export function failureOf({ error, absent, underWay }: GivenUp): GatewayError {
  return absent && !underWay
    ? new GatewayError('internal', 'internal error', { cause: error, unrecorded: true })
    : engineUnavailable(error);
}

/** The engine, and the numbers that a room's batches take in the node's own lane. */
export interface Sending {
  readonly context: Pick<CommitterContext, 'store' | 'now' | 'patienceMs' | 'time' | 'faults' | 'isClosed'>;
  readonly lane: NodeLane;
}

/**
 * Sends one batch until it is known what became of it (R35).
 *
 * An attempt whose outcome is unknown is never just repeated: the engine is asked first what it has of it. Where it has
 * nothing, the commit is sent again under the same numbers, so that of two attempts one counts.
 */
export class BatchSender {
  private failingSince: number | undefined;
  private underWay = false;
  /** The engine's failure of an attempt that wrote nothing. */
  private absentAfter: string | undefined;

  constructor(
    private readonly sending: Sending,
    private readonly request: CommitRequest,
    private readonly batch: Batch,
  ) {}

  /** Resolves to the engine's answer; gives up when patience ends, or if going on is useless. */
  async send(): Promise<CommitReply | GivenUp> {
    for (const pending of this.batch.open) pending.tried = true;
    for (;;) {
      try {
        return await this.attempt(this.request);
      } catch (thrown) {
        const end = await this.recover(this.failureOf(thrown));
        if (end) return end;
      }
      await pause();
    }
  }

  /** Decides what follows from a failed attempt; resolves to undefined if it is to be repeated. */
  private async recover(error: StoreError): Promise<Judged | GivenUp | undefined> {
    const isWrite = !this.request.judgeOnly;
    const settled = isWrite && error.outcome !== 'unavailable' ? await this.settle(error) : undefined;
    if (settled) return settled;
    return this.isFinal(error) ? this.giveUp(error) : undefined;
  }

  /** Finds out the outcome of an attempt; resolves to undefined if it is to be repeated. */
  private async settle(error: StoreError): Promise<Judged | GivenUp | undefined> {
    this.underWay ||= error.outcome === 'unknown';
    for (const pending of this.batch.open) pending.unknown = true;
    for (;;) {
      try {
        const judged = await this.attempt({ ...this.request, judgeOnly: true });
        return this.decide(error, judged as Judged);
      } catch (thrown) {
        if (this.isFinal(this.failureOf(thrown))) return this.giveUp(error);
      }
      await pause();
    }
  }

  private decide(error: StoreError, judged: Judged): Judged | GivenUp | undefined {
    const isFresh = !judged.conflict && judged.verdicts.every(({ kind }) => kind === 'ok');
    if (!isFresh) {
      if (error.outcome === 'failed') this.report('found', error, 'the node has found out what was done');
      return judged;
    }
    if (error.outcome !== 'failed') return undefined;
    if (this.absentAfter === error.message) return this.giveUp(error, true);
    this.absentAfter = error.message;
    return undefined;
  }

  private attempt(request: CommitRequest): Promise<CommitReply> {
    const { store } = this.sending.context;
    const opening = this.open(request);
    return opening ? opening.then(() => store.commit(request)) : store.commit(request);
  }

  /** Gives the lanes of works without a number of a client their ends; undefined if they have them. */
  private open({ room }: CommitRequest): Promise<unknown> | undefined {
    const { nodeEntries, keys } = this.batch.plan;
    const { lane, context } = this.sending;
    const opening = nodeEntries > 0 ? lane.open() : undefined;
    if (keys.every(({ endsAt }) => endsAt > 0)) return opening;
    return Promise.all([opening, openKeys(keys, room, context.time)]);
  }

  /** @throws any error that is a bug and not a failure of the engine */
  private failureOf(thrown: unknown): StoreError {
    if (!(thrown instanceof StoreError)) throw thrown;
    this.failingSince ??= this.sending.context.now();
    return thrown;
  }

  /** True if going on is useless: a room that a newer release keeps stays so. */
  private isFinal(error: StoreError): boolean {
    const { context } = this.sending;
    if (error instanceof UnknownFormat) return true;
    return context.isClosed() || context.now() - this.failingSince! >= context.patienceMs;
  }

  private giveUp(error: StoreError, absent = false): GivenUp {
    if (error.outcome === 'failed') this.report('failed', error, 'its commands fail');
    return { status: 'given up', error, absent, underWay: this.underWay };
  }

  private report(kind: string, { message }: StoreError, consequence: string): void {
    const failure = `the engine failed to carry out a commit of room ${this.request.room} (${message})`;
    this.sending.context.faults.report(kind, `${failure}; ${consequence}`);
  }
}

/**
 * After a lost answer: proves that the node's numbers of a batch are recorded, by recording them without an effect
 * where they are not (R12). Until that is done no other commit of the room may be sent.
 * @param onWait called between two attempts
 */
export async function closeNodeNumbers(
  { context, lane }: Sending,
  request: CommitRequest,
  onWait: () => void,
): Promise<void> {
  const own = request.entries.filter((entry) => entry.lane.id === lane.lane.id);
  if (own.length === 0) return;
  const entries = own.map(withoutEffect);
  const areTaken = await takeNumbers(context, { ...request, documents: [], entries }, onWait);
  if (areTaken) lane.advance(own.length);
  else lane.renew();
}

/**
 * Records entries without an effect unless they are recorded, and keeps trying until it is done. Resolves to false if
 * the numbers can't be used any more: the engine can't even do this, which must not hold up the room for good, or the
 * numbers belong to other works.
 * @param onWait called between two attempts
 */
async function takeNumbers(
  { store, isClosed }: Sending['context'],
  request: CommitRequest,
  onWait: () => void,
): Promise<boolean> {
  while (!isClosed()) {
    try {
      const reply = await store.commit(request);
      return reply.status === 'committed' || reply.verdicts.every(({ kind }) => kind === 'duplicate');
    } catch (error) {
      if (!(error instanceof StoreError) || error.outcome === 'failed') return false;
      if (error instanceof UnknownFormat) return false;
      onWait();
      await delay(100 + Math.random() * 100);
    }
  }
  return false;
}

function pause(): Promise<void> {
  return delay(20 + Math.random() * 30);
}
