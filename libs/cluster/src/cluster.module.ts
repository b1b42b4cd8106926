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
import { NodeRegistry } from './node-registry.js';
import { PacketChannels } from './packet-channels.js';
import { PendingCalls } from './pending-calls.js';

/** What a node brings to speak to the others. */
export interface ClusterModuleOptions {
  readonly channels: Channels;
  readonly keys: RedisKeys;
  /** Keeps the log of cluster events. */
  readonly store: RoomStore;
  /** Not joined yet: the transport joins when it listens, and leaves when it closes. */
  readonly registry: NodeRegistry;
}

/** Cluster events, calls and the registry of nodes, for every module of the application. */
@Global()
@Module({})
export class ClusterModule {
  static forNode({ channels, keys, store, registry }: ClusterModuleOptions): DynamicModule {
    return {
      module: ClusterModule,
      imports: [HandlersModule],
      providers: [
        { provide: Channels, useValue: channels },
        { provide: RedisKeys, useValue: keys },
        { provide: NodeRegistry, useValue: registry },
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
        ClusterClient,
      ],
      exports: [Cluster, ClusterClient, ClusterTransport, NodeRegistry],
    };
  }
}
