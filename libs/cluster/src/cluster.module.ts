import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { bind, bindFactory, bindValue, HandlersModule } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { RoomStore } from '@wss/state';
import { NodeCluster } from './node-cluster.js';
import { Channels } from './channels/channels.js';
import { ClusterClient } from './cluster-client.js';
import { ClusterHandlers } from './events/cluster-handlers.js';
import { ClusterLog } from './cluster-log.js';
import { OtherMicroservices } from './events/other-microservices.js';
import { PatternOwner } from './events/pattern-owner.js';
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
import { FeedFaults } from './following/room-faults.js';
import { LostHistories } from './rooms/lost-histories.js';

/** Dependencies and settings that a node needs to speak to the others. */
export abstract class ClusterModuleOptions {
  abstract readonly channels: Channels;
  abstract readonly keys: RedisKeys;
  /** Keeps the log of cluster events. */
  abstract readonly store: RoomStore;
  /** The registry, not joined yet: the transport joins when it listens, and leaves when it closes. */
  abstract readonly registry: NodeRegistry;
  abstract readonly jobs: JobQueue;
  /** How this node runs jobs. Default as {@link JobSettings} says. */
  abstract readonly jobSettings?: JobSettings;
}

/**
 * Providers of cluster events, calls, jobs and the registry of nodes. The module that provides them also provides
 * {@link ClusterModuleOptions}, and imports {@link HandlersModule}.
 */
export const CLUSTER_PROVIDERS: readonly Provider[] = [
  bindFactory(Channels, [ClusterModuleOptions], ({ channels }) => channels),
  bindFactory(RedisKeys, [ClusterModuleOptions], ({ keys }) => keys),
  bindFactory(NodeRegistry, [ClusterModuleOptions], ({ registry }) => registry),
  bindFactory(JobQueue, [ClusterModuleOptions], ({ jobs }) => jobs),
  {
    provide: JOB_SETTINGS,
    inject: [ClusterModuleOptions],
    useFactory: ({ jobSettings = {} }: ClusterModuleOptions) => jobSettings,
  },
  bindFactory(LostHistories, [], () => new LostHistories()),
  bindFactory(FeedFaults, [], () => new FeedFaults()),
  bindFactory(
    ClusterLog,
    [ClusterModuleOptions, LostHistories, FeedFaults],
    ({ store, channels, keys, registry }, losses, faults) =>
      new ClusterLog({ store, channels, keys, registry, losses, faults }),
  ),
  NodeCluster,
  bind(Cluster, NodeCluster),
  PacketChannels,
  PendingCalls,
  OtherMicroservices,
  PatternOwner,
  ClusterHandlers,
  ClusterRoutes,
  ClusterTransport,
  Jobs,
  JobRunner,
  LiveContracts,
  ClusterClient,
];

/** A node of the cluster without rooms and clients, for every module of its application. */
@Module({})
export class ClusterModule {
  static forNode(options: ClusterModuleOptions): DynamicModule {
    return {
      module: ClusterModule,
      global: true,
      imports: [HandlersModule],
      providers: [bindValue(ClusterModuleOptions, options), ...CLUSTER_PROVIDERS],
      exports: [Cluster, ClusterClient, ClusterTransport, JobRunner, LiveContracts, NodeRegistry],
    };
  }
}
