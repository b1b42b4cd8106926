import { Injectable } from '@nestjs/common';
import { GatewayError } from '@wss/core';
import { LOOK_MS, ReadingTime } from '@wss/redis';
import type { Subscriber } from 'rxjs';
import { type ClusterAnswer, toClusterAnswer } from './cluster-answer.js';
import type { AnswerPacket } from '../channels/cluster-packet.js';

/** Largest number of calls that a node may have under way. */
const MAX_PENDING_CALLS = 10_000;

/** A call, and how long it waits. */
export interface PendingOptions {
  readonly id: string;
  /** Ms from now. */
  readonly timeoutMs: number;
}

/**
 * One call under way: it yields exactly one answer for every node that it waits for, from the node or at the
 * deadline.
 */
export class PendingCall {
  private waiting = new Set<string>();
  private isLate = false;

  constructor(
    /** The deadline, by {@link ReadingTime}. */
    readonly until: number,
    private readonly subscriber: Subscriber<ClusterAnswer>,
  ) {}

  /** Waits for the answers of these nodes, which are asked now; all are missing if the deadline has passed. */
  expect(nodeIds: Iterable<string>): void {
    this.waiting = new Set(nodeIds);
    if (this.isLate) this.giveUp(this.waiting);
  }

  /** Takes a node's answer. A second answer, or one of an unexpected node, changes nothing. */
  settle(answer: ClusterAnswer): void {
    if (!this.waiting.delete(answer.nodeId)) return;
    this.subscriber.next(answer);
    if (this.waiting.size === 0) this.subscriber.complete();
  }

  /** Marks nodes as missing: they did not answer, or no longer can. */
  giveUp(nodeIds: Iterable<string>): void {
    for (const nodeId of [...nodeIds]) this.settle({ nodeId, missing: true });
  }

  /** The deadline has passed. */
  end(): void {
    this.isLate = true;
    this.giveUp(this.waiting);
  }

  fail(error: Error): void {
    this.subscriber.error(error);
  }
}

/**
 * The calls of this node that are under way: bounded in number and, by their deadlines, in time. Time in which this
 * process was busy does not count, and no call ends before the answers that have arrived are read.
 */
@Injectable()
export class PendingCalls {
  private readonly calls = new Map<string, PendingCall>();
  private readonly reading = new ReadingTime();
  private timer?: NodeJS.Timeout;
  /** When the timer fires, ms of this process' steady clock. */
  private wakesAt = Infinity;

  get size(): number {
    return this.calls.size;
  }

  /**
   * Waits for answers from now on, until all are there, the deadline has passed or the subscriber is gone.
   * @throws GatewayError `rate_limited` when too many calls are under way
   */
  open(options: PendingOptions, subscriber: Subscriber<ClusterAnswer>): PendingCall {
    if (this.calls.size >= MAX_PENDING_CALLS) {
      throw new GatewayError('rate_limited', 'too many calls between nodes are under way');
    }
    if (this.calls.size === 0) this.reading.look();
    const call = new PendingCall(this.reading.now + options.timeoutMs, subscriber);
    this.calls.set(options.id, call);
    subscriber.add(() => this.close(options.id));
    this.wakeIn(options.timeoutMs);
    return call;
  }

  /** Takes an answer to its call; an answer that comes too late has none. */
  settle({ id, from, ...answered }: AnswerPacket): void {
    const answer = answered.error ? { error: answered.error } : { data: answered.data };
    this.calls.get(id)?.settle(toClusterAnswer(from, answer));
  }

  /** Fails all calls, because their answers will not be heard. */
  failAll(error: Error): void {
    for (const call of [...this.calls.values()]) call.fail(error);
  }

  private wakeIn(ms: number): void {
    const at = performance.now() + Math.min(ms, LOOK_MS);
    if (at >= this.wakesAt) return;
    clearTimeout(this.timer);
    this.wakesAt = at;
    this.timer = this.reading.lookIn(ms, (now) => this.endLate(now));
  }

  /** @param now the time up to which all answers that arrived have been read */
  private endLate(now: number): void {
    this.wakesAt = Infinity;
    for (const call of [...this.calls.values()]) {
      if (call.until <= now) call.end();
      else this.wakeIn(call.until - now);
    }
  }

  private close(id: string): void {
    this.calls.delete(id);
    if (this.calls.size > 0) return;
    clearTimeout(this.timer);
    this.wakesAt = Infinity;
  }
}
