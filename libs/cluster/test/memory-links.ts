import { RedisKeys } from '@wss/redis';
import { type MemoryEngine, MemoryRoomStore } from '@wss/state';
import { MemoryClusterChannels, MemoryJobQueue, MemoryNodeRegistry } from '../src/index.js';
import type { ClusterModuleOptions } from '../src/cluster.module.js';

/** Options of the cluster's module for a node on the embedded engine. */
export function memoryLinks(engine: MemoryEngine, nodeId: string): ClusterModuleOptions {
  const keys = new RedisKeys('test');
  return {
    channels: new MemoryClusterChannels(engine),
    keys,
    store: new MemoryRoomStore(engine, (room) => keys.room(room).channel),
    registry: new MemoryNodeRegistry(engine, { nodeId }),
    jobs: new MemoryJobQueue(engine),
  };
}
