import { Injectable, Logger } from '@nestjs/common';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { kindOf, LogGate, settledWithin, stackOf } from '@wss/protocol';
import { GatewayError } from '@wss/core';
import type { Answered } from './events/cluster-answer.js';
import { ClusterContext } from './events/cluster-context.js';
import { CLUSTER_TRANSPORT } from './events/cluster-transport-id.js';
import { ClusterLog } from './cluster-log.js';
import {
  type CallPacket,
  type ClusterPacket,
  encodePacket,
  type EventPacket,
} from './channels/cluster-packet.js';
import { ClusterRoutes } from './events/cluster-routes.js';
import { CALL_TIMEOUT_MS } from './cluster.js';
import { JobRunner } from './jobs/job-runner.js';
import { NodeRegistry } from './nodes/node-registry.js';
import { PacketChannels } from './events/packet-channels.js';
import { PendingCalls } from './events/pending-calls.js';

/**
 * Event that tells a node that it missed cluster events for good: its handlers read again everything that depends on
 * them.
 */
export const RESYNC_EVENT = '$resync';

/** State of a node's link to the others. */
export type ClusterStatus = 'connected' | 'disconnected';

/**
 * Hears the other nodes, as a microservice of the application:
 * `app.connectMicroservice({ strategy: app.get(ClusterTransport) })`, then `await app.startAllMicroservices()`.
 *
 * No message makes it throw. Handlers are those of {@link ClusterRoutes} alone, so that a method runs once, whether
 * Nest has it as a controller or as a provider.
 */
@Injectable()
export class ClusterTransport
  extends Server<Record<string, never>, ClusterStatus>
  implements CustomTransportStrategy
{
  override transportId = CLUSTER_TRANSPORT;
  protected override readonly logger = new Logger(ClusterTransport.name);
  private readonly failures = new LogGate((line) => this.logger.error(line));
  private readonly warnings = new LogGate((line) => this.logger.warn(line));
  /** Events and calls whose handlers run. */
  private serving = 0;
  private onIdle: () => void = () => undefined;
  private starting?: Promise<void>;

  constructor(
    private readonly packets: PacketChannels,
    private readonly log: ClusterLog,
    private readonly registry: NodeRegistry,
    private readonly routes: ClusterRoutes,
    private readonly pending: PendingCalls,
    private readonly jobs: JobRunner,
  ) {
    super();
    this._status$.next('disconnected');
  }

  /**
   * Hears the cluster, then takes the node's lease: a node that holds one can be reached. Then it takes jobs. Calls back when all is
   * done, or with the Error that says why it is not; listening can be tried again then.
   */
  listen(callback: (error?: unknown) => unknown): void {
    this.starting ??= this.start();
    this.starting
      .then(
        () => callback(),
        (error: unknown) => {
          delete this.starting;
          callback(error);
        },
      )
      .catch((error: unknown) => this.logger.error(error));
  }

  /**
   * Waits up to 10 s for running jobs, drops the lease, waits up to 2 s for the calls that it serves, and stops
   * listening. This node's own calls under way fail as `unavailable`. Never throws.
   */
  async close(): Promise<void> {
    if (!this.starting) return;
    await this.starting.catch(() => undefined);
    delete this.starting;
    if (!this.packets.listening) return;
    await this.jobs.stop();
    await this.registry.leave();
    await this.drain();
    this.packets.stop();
    this.log.stop();
    this.pending.failAll(new GatewayError('unavailable', 'this node is stopping'));
    this._status$.next('disconnected');
  }

  /** @throws Error always: the underlying link has no events; see `status` */
  on(): never {
    throw new Error('the cluster transport has no events; subscribe to its status');
  }

  /** Returns the `Channels` below. */
  unwrap<T>(): T {
    return this.packets.channels as T;
  }

  /** Ignores the handlers of controllers that Nest offers: the table of {@link ClusterRoutes} has them. */
  override addHandler(): void {}

  private async start(): Promise<void> {
    this.routes.prepare();
    await this.packets.listen((packet) => this.receive(packet));
    try {
      await this.log.listen({ onEvent: (packet) => this.onEvent(packet), onGap: () => this.resync() });
      await this.registry.join();
      await this.startJobs();
    } catch (error) {
      this.packets.stop();
      this.log.stop();
      throw error;
    }
    this._status$.next('connected');
  }

  private async startJobs(): Promise<void> {
    try {
      await this.jobs.start();
    } catch (error) {
      await this.registry.leave();
      throw error;
    }
  }

  private receive(packet: ClusterPacket): void {
    if (packet.kind === 'answer') return this.pending.settle(packet);
    if (packet.kind === 'event') return this.onEvent(packet);
    const context = new ClusterContext([packet.pattern, packet.from]);
    void this.serve(context, () => this.answer(packet, context));
  }

  private onEvent({ pattern, from, to, data }: EventPacket): void {
    if (to !== undefined && to !== this.packets.nodeId) return;
    const context = new ClusterContext([pattern, from]);
    void this.serve(context, () => this.routes.dispatch(data, context));
  }

  /** Runs the work between Nest's hooks for tracing, which are not ours and may fail. */
  private async serve(context: ClusterContext, work: () => Promise<void>): Promise<void> {
    this.serving++;
    try {
      // Declared as void, but the hook returns the promise of the work.
      await (this.onProcessingStartHook(this.transportId, context, async () => {
        try {
          await work();
        } finally {
          this.onProcessingEndHook?.(this.transportId, context);
        }
      }) as unknown);
    } catch (error) {
      this.failures.report(kindOf(error), stackOf(error));
    }
    if (--this.serving === 0) this.onIdle();
  }

  private async answer(call: CallPacket, context: ClusterContext): Promise<void> {
    const deadline = performance.now() + call.timeoutMs;
    const answered = await this.routes.answer(call.data, context);
    if (performance.now() > deadline) return;
    try {
      await this.packets.send(this.encode(call, answered), call.from);
    } catch (error) {
      const line = `an answer did not reach node ${call.from}: ${(error as Error).message}`;
      this.warnings.report('answer', line);
    }
  }

  private encode({ id }: CallPacket, answered: Answered): string {
    return encodePacket({ kind: 'answer', from: this.packets.nodeId, id, data: null, ...answered });
  }

  private resync(): void {
    this.warnings.report('resync', 'cluster events are missing');
    void this.routes.dispatch(null, new ClusterContext([RESYNC_EVENT, this.packets.nodeId]));
  }

  private async drain(): Promise<void> {
    if (this.serving === 0) return;
    await settledWithin(new Promise<void>((resolve) => (this.onIdle = resolve)), CALL_TIMEOUT_MS);
  }
}
