import { Injectable, type Type } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { firstValueFrom, toArray } from 'rxjs';
import {
  Cluster,
  type ClusterAnswer,
  ClusterContext,
  ClusterModule,
  ClusterTransport,
  NodeRegistry,
} from '../src/index.js';
import type { CallOptions } from '../src/cluster.js';
import type { JobSettings } from '../src/jobs/job-group.js';
import { PendingCalls } from '../src/events/pending-calls.js';
import type { ClusterUnderTest, NodeLinks } from './engines.js';

/** Records what a node's handlers saw, and sets what they answer. */
@Injectable()
export class Recorder {
  readonly events: { data: unknown; from: string }[] = [];
  resyncs = 0;
  answer: (data: unknown) => unknown = (data) => data;

  @EventPattern<string>('test.said')
  said(@Payload() data: unknown, @Ctx() context: ClusterContext): void {
    this.events.push({ data, from: context.getNodeId() });
  }

  @EventPattern<string>('$resync')
  resync(): void {
    this.resyncs++;
  }

  @MessagePattern('test.ask')
  ask(@Payload() data: unknown): unknown {
    return this.answer(data);
  }

  /** Data of events that a node sent, in the order in which they came. */
  from(nodeId: string): unknown[] {
    return this.events.filter(({ from }) => from === nodeId).map(({ data }) => data);
  }
}

/** Only some nodes have it. */
@Injectable()
export class Special {
  @MessagePattern('test.special')
  special(): string {
    return 'special';
  }
}

/** Options of a {@link TestNode}. */
export interface TestNodeOptions {
  /** True if it hears the others; default true. */
  readonly listens?: boolean;
  readonly providers?: Type<object>[];
  readonly jobSettings?: JobSettings;
}

/** A node with handlers, but without an HTTP server. */
export class TestNode {
  private constructor(
    readonly nodeId: string,
    readonly links: NodeLinks,
    readonly module: TestingModule,
  ) {}

  static async start(
    cluster: ClusterUnderTest,
    nodeId: string,
    options: TestNodeOptions = {},
  ): Promise<TestNode> {
    const links = await cluster.openNode({ nodeId, heartbeatMs: 50, leaseMs: 1_000 });
    const module = await Test.createTestingModule({
      imports: [ClusterModule.forNode({ ...links, jobSettings: options.jobSettings ?? {} })],
      providers: [Recorder, ...(options.providers ?? [])],
    }).compile();
    await module.init();
    const node = new TestNode(nodeId, links, module);
    if (options.listens ?? true) await node.listen();
    return node;
  }

  get cluster(): Cluster {
    return this.module.get(Cluster);
  }

  get recorder(): Recorder {
    return this.module.get(Recorder);
  }

  get registry(): NodeRegistry {
    return this.module.get(NodeRegistry);
  }

  /** Calls under way. */
  get pending(): number {
    return this.module.get(PendingCalls).size;
  }

  get transport(): ClusterTransport {
    return this.module.get(ClusterTransport);
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.transport.listen((error) => (error ? reject(error as Error) : resolve()));
    });
  }

  /** All answers to a call, by node. */
  async ask(pattern: string, data?: unknown, options?: CallOptions): Promise<ClusterAnswer[]> {
    const answers = await firstValueFrom(this.cluster.call(pattern, data, options).pipe(toArray()));
    return answers.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  async close(): Promise<void> {
    await this.links.setReachable(true);
    await this.transport.close();
    await this.registry.leave();
    await this.module.close();
    await this.links.close();
  }
}
