import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { GatewayError } from '@wss/core';
import type { ClusterAnswer } from './events/cluster-answer.js';
import { Cluster } from './cluster.js';
import type { ClusterStatus } from './cluster-transport.js';

type Callback = (packet: WritePacket) => void;

/** Failures by how well they explain that no node gave data; the best first. */
const BY_IMPORTANCE = ['error', 'missing', 'unhandled'] as const;
type CallFailure = { readonly kind: (typeof BY_IMPORTANCE)[number]; readonly error: GatewayError };

/**
 * The cluster as a `ClientProxy` of Nest's microservices.
 *
 * `emit(pattern, data)` is {@link Cluster.emit}. `send(pattern, data)` brings the data of every live node that has a
 * handler, in the order of arrival, within 2 s. Nodes that fail, do not answer or have no handler are ignored as long
 * as one gives data. If none does, the Observable fails with a handler's error, else with `unknown_outcome` (no node
 * answered in time), else with `unknown_event` (no node has a handler). Use {@link Cluster.call} to get the answer of
 * each node.
 *
 * As everywhere in Nest, `emit` happens at once and `send` at each subscription, and data must not be `undefined`
 * or `null`.
 */
@Injectable()
export class ClusterClient
  extends ClientProxy<Record<never, never>, ClusterStatus>
  implements OnApplicationShutdown
{
  private readonly underWay = new Set<(error: GatewayError) => void>();

  constructor(private readonly cluster: Cluster) {
    super();
  }

  /** Does nothing: the node's links exist already. */
  connect(): Promise<void> {
    this._status$.next('connected');
    return Promise.resolve();
  }

  /** Fails calls under way as `unavailable`. The client can be used again. */
  close(): void {
    this._status$.next('disconnected');
    for (const fail of [...this.underWay]) fail(new GatewayError('unavailable', 'the client was closed'));
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** Returns the {@link Cluster} below. */
  unwrap<T>(): T {
    return this.cluster as T;
  }

  protected publish({ pattern, data }: ReadPacket, callback: Callback): () => void {
    const failures: CallFailure[] = [];
    let answered = false;
    const fail = (err: unknown): void => callback({ err, isDisposed: true });
    const subscription = this.cluster.call(this.normalizePattern(pattern), data).subscribe({
      next: (answer) => {
        if (!('data' in answer)) return void failures.push(failureOf(answer));
        answered = true;
        callback({ response: answer.data });
      },
      error: fail,
      complete: () => (answered ? callback({ isDisposed: true }) : fail(worst(failures))),
    });
    this.underWay.add(fail);
    subscription.add(() => this.underWay.delete(fail));
    return () => subscription.unsubscribe();
  }

  protected async dispatchEvent<T>({ pattern, data }: ReadPacket): Promise<T> {
    return (await this.cluster.emit(this.normalizePattern(pattern), data)) as T;
  }
}

function failureOf(answer: Exclude<ClusterAnswer, { data: unknown }>): CallFailure {
  if (!('error' in answer)) {
    return { kind: 'missing', error: new GatewayError('unknown_outcome', 'no node answered in time') };
  }
  const { code, message } = answer.error;
  return {
    kind: code === 'unknown_event' ? 'unhandled' : 'error',
    error: new GatewayError(code, message),
  };
}

function worst(failures: readonly CallFailure[]): GatewayError {
  for (const kind of BY_IMPORTANCE) {
    const found = failures.find((failure) => failure.kind === kind);
    if (found) return found.error;
  }
  return new GatewayError('unknown_event', 'no node has a handler for this call');
}
