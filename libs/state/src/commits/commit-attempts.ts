import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { engineUnavailable, GatewayError } from '@wss/core';
import { LogGate } from '@wss/protocol';
import type { CommitterContext } from './committer-context.js';
import { type CommitReply, type CommitRequest, type Judged } from '../store/room-store.js';
import { StoreError, UnknownFormat } from '../store/store-errors.js';

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

/** Callbacks around attempts. */
interface AttemptHooks {
  /** Called before each attempt. A {@link StoreError} counts as the attempt's. */
  prepare(): Promise<void> | undefined;
  /** Called if the outcome of an attempt is unknown. */
  onUnknown(): void;
}

const faults = new LogGate((line) => new Logger('Commits').error(line));

/**
 * Sends one commit until it is known what became of it (R35).
 *
 * An attempt whose outcome is unknown is never just repeated: the engine is asked first what it has of it. Where it has
 * nothing, the commit is sent again under the same numbers, so that of two attempts one counts.
 */
export class CommitAttempts {
  private failingSince: number | undefined;
  private underWay = false;
  /** The engine's failure of an attempt that wrote nothing. */
  private absentAfter: string | undefined;

  constructor(
    private readonly context: Pick<CommitterContext, 'store' | 'now' | 'patienceMs' | 'isClosed'>,
    private readonly request: CommitRequest,
    private readonly hooks: AttemptHooks,
  ) {}

  /** Resolves to the engine's answer; gives up when patience ends, or if going on is useless. */
  async resolve(): Promise<CommitReply | GivenUp> {
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

  /** Makes one attempt; resolves to undefined if it failed and is to be repeated. */
  private async recover(error: StoreError): Promise<Judged | GivenUp | undefined> {
    const isWrite = !this.request.judgeOnly;
    const settled = isWrite && error.outcome !== 'unavailable' ? await this.settle(error) : undefined;
    if (settled) return settled;
    return this.isFinal(error) ? this.giveUp(error) : undefined;
  }

  /** Finds out the outcome of an attempt; resolves to undefined if it is to be repeated. */
  private async settle(error: StoreError): Promise<Judged | GivenUp | undefined> {
    this.underWay ||= error.outcome === 'unknown';
    this.hooks.onUnknown();
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
      if (error.outcome === 'failed')
        faults.report('found', `${this.failure(error)}; the node has found out what was done`);
      return judged;
    }
    if (error.outcome !== 'failed') return undefined;
    if (this.absentAfter === error.message) return this.giveUp(error, true);
    this.absentAfter = error.message;
    return undefined;
  }

  private attempt(request: CommitRequest): Promise<CommitReply> {
    const { store } = this.context;
    const preparing = this.hooks.prepare();
    return preparing ? preparing.then(() => store.commit(request)) : store.commit(request);
  }

  /** @throws any error that is a bug and not a failure of the engine */
  private failureOf(thrown: unknown): StoreError {
    if (!(thrown instanceof StoreError)) throw thrown;
    this.failingSince ??= this.context.now();
    return thrown;
  }

  /** True if going on is useless: a room that a newer release keeps stays so. */
  private isFinal(error: StoreError): boolean {
    const { context } = this;
    if (error instanceof UnknownFormat) return true;
    return context.isClosed() || context.now() - this.failingSince! >= context.patienceMs;
  }

  private giveUp(error: StoreError, absent = false): GivenUp {
    if (error.outcome === 'failed') faults.report('failed', `${this.failure(error)}; its commands fail`);
    return { status: 'given up', error, absent, underWay: this.underWay };
  }

  private failure({ message }: StoreError): string {
    return `the engine failed to carry out a commit of room ${this.request.room} (${message})`;
  }
}

function pause(): Promise<void> {
  return delay(20 + Math.random() * 30);
}

/**
 * Records entries without an effect unless they are recorded, and keeps trying until it is done. Resolves to false if
 * the numbers can't be used any more: the engine can't even do this, which must not hold up the room for good, or the
 * numbers belong to other works.
 * @param onWait called between two attempts
 */
export async function takeNumbers(
  { store, isClosed }: Pick<CommitterContext, 'store' | 'isClosed'>,
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
