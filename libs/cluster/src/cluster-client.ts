import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { GatewayError } from '@wss/core';
import type { ClusterAnswer } from './events/cluster-answer.js';
import { Cluster } from './cluster.js';
import type { ClusterStatus } from './cluster-transport.js';

type Callback = (packet: WritePacket) => void;

/** Which failure explains best why nobody gave data; the first is the best. */
const BY_IMPORTANCE = ['error', 'missing', 'unhandled'] as const;
type CallFailure = { readonly kind: (typeof BY_IMPORTANCE)[number]; readonly error: GatewayError };

/**
 * The cluster as a `ClientProxy` of Nest's microservices.
 *
 * `emit(pattern, data)` is {@link Cluster.emit}. `send(pattern, data)` brings the data of every live node that has a
 * handler, in the order in which it comes, within 2 s. Nodes that fail, do not answer or have no handler are passed
 * over as long as one gives data; when none does, the Observable fails with a handler's error, else with
 * `unknown_outcome` (nobody answered in time), else with `unknown_event` (nobody has a handler). Whoever must know
 * of each node calls {@link Cluster.call}.
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

  /** The node's links are there already. */
  connect(): Promise<void> {
    this._status$.next('connected');
    return Promise.resolve();
  }

  /** Fails what was sent and is not answered as `unavailable`. The client can be used again. */
  close(): void {
    this._status$.next('disconnected');
    for (const fail of [...this.underWay]) fail(new GatewayError('unavailable', 'the client was closed'));
  }

  onApplicationShutdown(): void {
    this.close();
  }

  /** The {@link Cluster} below. */
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
