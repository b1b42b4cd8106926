import { Injectable } from '@nestjs/common';
import { GatewayError } from '@wss/core';
import type { Subscriber } from 'rxjs';
import { type ClusterAnswer, toClusterAnswer } from './cluster-answer.js';
import type { AnswerPacket } from '../channels/cluster-packet.js';

/** Largest number of calls that a node may have under way. */
export const MAX_PENDING_CALLS = 10_000;

/** The nodes that a call waits for, and how long. */
export interface PendingOptions {
  readonly id: string;
  readonly nodeIds: Iterable<string>;
  /** Ms from now. */
  readonly timeoutMs: number;
}

/**
 * One call under way: it yields exactly one answer for every node that it waits for, from the node or at the
 * deadline.
 */
export class PendingCall {
  private readonly waiting: Set<string>;
  private readonly timer: NodeJS.Timeout;

  constructor(
    { nodeIds, timeoutMs }: PendingOptions,
    private readonly subscriber: Subscriber<ClusterAnswer>,
  ) {
    this.waiting = new Set(nodeIds);
    this.timer = setTimeout(() => this.giveUp(this.waiting), timeoutMs);
    subscriber.add(() => clearTimeout(this.timer));
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

  fail(error: Error): void {
    this.subscriber.error(error);
  }
}

/** The calls of this node that are under way: bounded in number and, by their deadlines, in time. */
@Injectable()
export class PendingCalls {
  private readonly calls = new Map<string, PendingCall>();

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
    const call = new PendingCall(options, subscriber);
    this.calls.set(options.id, call);
    subscriber.add(() => this.calls.delete(options.id));
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
}
