import { Injectable, Logger } from '@nestjs/common';
import { GatewayError, toWriteError } from '@wss/core';
import { LogGate } from '@wss/protocol';
import { firstValueFrom, Observable, type Subscriber } from 'rxjs';
import { type ClusterAnswer, toClusterAnswer } from './events/cluster-answer.js';
import { ClusterContext } from './events/cluster-context.js';
import { ClusterLog } from './cluster-log.js';
import {
  type CallPacket,
  encodePacket,
  type EventPacket,
  PACKET_VERSION,
} from './channels/cluster-packet.js';
import { ClusterRoutes } from './events/cluster-routes.js';
import {
  CALL_TIMEOUT_MS,
  type CallOptions,
  Cluster,
  type EmitOptions,
  MAX_CALL_TIMEOUT_MS,
  type NodeTarget,
} from './cluster.js';
import { Jobs, type JobTarget } from './jobs/jobs.js';
import { type NodeInfo, NodeRegistry } from './nodes/node-registry.js';
import { PacketChannels } from './events/packet-channels.js';
import { type PendingCall, PendingCalls } from './events/pending-calls.js';

/** An outgoing call. */
interface Outgoing {
  readonly packet: CallPacket;
  readonly text: string;
  /** The receiving node; absent: all nodes. */
  readonly only?: string;
}

/** {@link Cluster}: events over {@link ClusterLog}, the rest over {@link PacketChannels}. */
@Injectable()
export class NodeCluster extends Cluster {
  private readonly faults = new LogGate((line) => new Logger(Cluster.name).warn(line));

  constructor(
    private readonly packets: PacketChannels,
    private readonly log: ClusterLog,
    private readonly registry: NodeRegistry,
    private readonly routes: ClusterRoutes,
    private readonly pending: PendingCalls,
    private readonly jobs: Jobs,
  ) {
    super();
  }

  emit(event: string, data?: unknown, options?: EmitOptions): Promise<void> {
    return this.emitTo(undefined, [event, data], options);
  }

  call<T>(pattern: string, data?: unknown, options?: CallOptions): Observable<ClusterAnswer<T>> {
    return this.callOf(undefined, [pattern, data], options) as Observable<ClusterAnswer<T>>;
  }

  node(nodeId: string): NodeTarget {
    return {
      emit: (event, data, options) => this.emitTo(nodeId, [event, data], options),
      call: async <T>(pattern: string, data?: unknown, options?: CallOptions) => {
        const answer = await firstValueFrom(this.callOf(nodeId, [pattern, data], options));
        return valueOf(answer) as T;
      },
    };
  }

  one(group: string): JobTarget {
    return this.jobs.target(group);
  }

  async nodes(): Promise<NodeInfo[]> {
    try {
      return await this.registry.alive();
    } catch (cause) {
      throw new GatewayError('unavailable', "the live nodes can't be read", { cause });
    }
  }

  private async emitTo(
    to: string | undefined,
    [pattern, data]: [string, unknown],
    { volatile = false }: EmitOptions = {},
  ): Promise<void> {
    const from = this.packets.nodeId;
    const packet: EventPacket = {
      kind: 'event',
      from,
      id: this.packets.nextId(),
      pattern,
      data,
      ...(to !== undefined && { to }),
    };
    if (!volatile) return this.log.append(packet);
    await this.publish(packet);
  }

  private async publish(packet: EventPacket): Promise<void> {
    this.routes.prepare();
    const { from, to, pattern } = packet;
    const text = encodePacket(packet);
    if (to === undefined || to === from) {
      void this.routes.dispatch(plainData(text), new ClusterContext([pattern, from]));
    }
    if (to === from) return;
    try {
      await this.packets.send(text, to);
    } catch (error) {
      throw toWriteError(error);
    }
  }

  private callOf(
    only: string | undefined,
    [pattern, data]: [string, unknown],
    { timeoutMs = CALL_TIMEOUT_MS }: CallOptions = {},
  ): Observable<ClusterAnswer> {
    if (!(timeoutMs >= 1 && timeoutMs <= MAX_CALL_TIMEOUT_MS)) {
      throw new RangeError(`timeoutMs is 1 to ${MAX_CALL_TIMEOUT_MS}`);
    }
    return new Observable((subscriber) => {
      this.routes.prepare();
      const { nodeId: from } = this.packets;
      const packet = { kind: 'call', from, id: this.packets.nextId(), pattern, data, timeoutMs } as const;
      const text = encodePacket(packet);
      this.start({ packet, text, ...(only !== undefined && { only }) }, subscriber).catch((error: unknown) =>
        subscriber.error(error),
      );
    });
  }

  private async start(call: Outgoing, subscriber: Subscriber<ClusterAnswer>): Promise<void> {
    const { packet, only } = call;
    const pending = this.pending.open({ id: packet.id, timeoutMs: packet.timeoutMs }, subscriber);
    const self = packet.from;
    const nodes = only === self ? [] : await this.nodes();
    if (subscriber.closed) return;
    const others = nodes.filter(({ nodeId }) => nodeId !== self && (only === undefined || nodeId === only));
    const nodeIds = others.map(({ nodeId }) => nodeId);
    const withSelf = only === undefined || only === self;
    if (withSelf) nodeIds.push(self);
    if (nodeIds.length === 0) throw new GatewayError('not_found', `no node ${only} is alive`);
    pending.expect(nodeIds);
    if (subscriber.closed) return;
    if (withSelf) void this.askSelf(call, pending);
    await this.askOthers(call, others, pending);
  }

  private async askSelf({ packet, text }: Outgoing, pending: PendingCall): Promise<void> {
    const context = new ClusterContext([packet.pattern, packet.from]);
    pending.settle(toClusterAnswer(packet.from, await this.routes.answer(plainData(text), context)));
  }

  private async askOthers(
    { text, only }: Outgoing,
    others: readonly NodeInfo[],
    pending: PendingCall,
  ): Promise<void> {
    const deaf = others.filter(({ packets }) => packets !== PACKET_VERSION);
    pending.giveUp(deaf.map(({ nodeId }) => nodeId));
    if (deaf.length === others.length) return;
    if (!this.packets.listening) throw notListening();
    try {
      await this.packets.send(text, only);
    } catch (error) {
      this.faults.report('call', `a call did not reach the other nodes: ${(error as Error).message}`);
      pending.giveUp(others.map(({ nodeId }) => nodeId));
    }
  }
}

function notListening(): GatewayError {
  const remedy =
    'app.connectMicroservice({ strategy: app.get(ClusterTransport) }), app.startAllMicroservices()';
  return new GatewayError('unavailable', `this node does not listen to the cluster: ${remedy}`);
}

/** A handler of this node sees the same data as one of another node. */
function plainData(text: string): unknown {
  return (JSON.parse(text) as CallPacket).data;
}

function valueOf(answer: ClusterAnswer): unknown {
  if ('data' in answer) return answer.data;
  if ('error' in answer) throw new GatewayError(answer.error.code, answer.error.message);
  throw new GatewayError('unknown_outcome', `node ${answer.nodeId} did not answer in time`);
}
