import { type DynamicModule, Global, Module } from '@nestjs/common';
import { bindClass, bindFactory, bindValue, HandlersModule } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { RoomStore } from '@wss/state';
import { NodeCluster } from './node-cluster.js';
import { Channels } from './channels/channels.js';
import { ClusterClient } from './cluster-client.js';
import { ClusterHandlers } from './events/cluster-handlers.js';
import { ClusterLog } from './cluster-log.js';
import { ClusterRoutes } from './events/cluster-routes.js';
import { ClusterTransport } from './cluster-transport.js';
import { Cluster } from './cluster.js';
import { JobQueue } from './jobs/job-queue.js';
import type { JobSettings } from './jobs/job-group.js';
import { JOB_SETTINGS, JobRunner } from './jobs/job-runner.js';
import { Jobs } from './jobs/jobs.js';
import { LiveContracts } from './nodes/live-contracts.js';
import { NodeRegistry } from './nodes/node-registry.js';
import { PacketChannels } from './events/packet-channels.js';
import { PendingCalls } from './events/pending-calls.js';
import { LostHistories } from './rooms/lost-histories.js';

/** Dependencies and settings that a node needs to speak to the others. */
export interface ClusterModuleOptions {
  readonly channels: Channels;
  readonly keys: RedisKeys;
  /** Keeps the log of cluster events. */
  readonly store: RoomStore;
  /** The registry, not joined yet: the transport joins when it listens, and leaves when it closes. */
  readonly registry: NodeRegistry;
  readonly jobs: JobQueue;
  /** How this node runs jobs. Default as {@link JobSettings} says. */
  readonly jobSettings?: JobSettings;
}

/** Cluster events, calls, jobs and the registry of nodes, for every module of the application. */
@Global()
@Module({})
export class ClusterModule {
  static forNode({
    channels,
    keys,
    store,
    registry,
    jobs,
    jobSettings = {},
  }: ClusterModuleOptions): DynamicModule {
    return {
      module: ClusterModule,
      imports: [HandlersModule],
      providers: [
        bindValue(Channels, channels),
        bindValue(RedisKeys, keys),
        bindValue(NodeRegistry, registry),
        bindValue(JobQueue, jobs),
        { provide: JOB_SETTINGS, useValue: jobSettings },
        bindClass(Cluster, NodeCluster),
        bindFactory(LostHistories, [], () => new LostHistories()),
        bindFactory(
          ClusterLog,
          [LostHistories],
          (losses) => new ClusterLog({ store, channels, keys, registry, losses }),
        ),
        PacketChannels,
        PendingCalls,
        ClusterHandlers,
        ClusterRoutes,
        ClusterTransport,
        Jobs,
        JobRunner,
        LiveContracts,
        ClusterClient,
      ],
      exports: [
        Cluster,
        ClusterClient,
        ClusterTransport,
        JobRunner,
        LiveContracts,
        LostHistories,
        NodeRegistry,
      ],
    };
  }
}
