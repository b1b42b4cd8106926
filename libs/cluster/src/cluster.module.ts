import { type DynamicModule, Global, Module } from '@nestjs/common';
import { HandlersModule } from '@wss/handlers';
import { RedisKeys } from '@wss/redis';
import { RoomStore } from '@wss/state';
import { ChannelCluster } from './channel-cluster.js';
import { Channels } from './channels.js';
import { ClusterClient } from './cluster-client.js';
import { ClusterHandlers } from './cluster-handlers.js';
import { ClusterLog } from './cluster-log.js';
import { ClusterRoutes } from './cluster-routes.js';
import { ClusterTransport } from './cluster-transport.js';
import { Cluster } from './cluster.js';
import { JobQueue } from './job-queue.js';
import type { JobSettings } from './job-group.js';
import { JOB_SETTINGS, JobRunner } from './job-runner.js';
import { Jobs } from './jobs.js';
import { LiveContracts } from './live-contracts.js';
import { NodeRegistry } from './node-registry.js';
import { PacketChannels } from './packet-channels.js';
import { PendingCalls } from './pending-calls.js';

/** Dependencies and settings that a node needs to speak to the others. */
export interface ClusterModuleOptions {
  readonly channels: Channels;
  readonly keys: RedisKeys;
  /** Keeps the log of cluster events. */
  readonly store: RoomStore;
  /** Not joined yet: the transport joins when it listens, and leaves when it closes. */
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
        { provide: Channels, useValue: channels },
        { provide: RedisKeys, useValue: keys },
        { provide: NodeRegistry, useValue: registry },
        { provide: JobQueue, useValue: jobs },
        { provide: JOB_SETTINGS, useValue: jobSettings },
        { provide: Cluster, useClass: ChannelCluster },
        {
          provide: ClusterLog,
          useFactory: () => new ClusterLog({ store, channels, keys, registry }),
        },
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
      exports: [Cluster, ClusterClient, ClusterTransport, JobRunner, LiveContracts, NodeRegistry],
    };
  }
}
