import type { ClusterLinks, Shard } from './cluster-links.js';
import { slotOf } from './hash-slot.js';
import { type Fence, ReplicationFence } from '../server/replication-fence.js';

/**
 * One fence for each master of a cluster, since a write that has reached the replicas of one says nothing about the
 * others.
 */
export class ClusterFence implements Fence {
  private readonly fences = new WeakMap<Shard, ReplicationFence>();

  constructor(
    private readonly links: ClusterLinks,
    private readonly prefix: string,
    /** Replicas of each master. */
    private readonly replicas: number,
  ) {}

  wait(replicationId: string, withinMs: number, key: string): Promise<boolean> {
    const shard = this.links.shardOf(slotOf(key));
    const fence = shard && this.fenceOf(shard);
    return fence ? fence.wait(replicationId, withinMs) : Promise.resolve(false);
  }

  private fenceOf(shard: Shard): ReplicationFence | undefined {
    const known = this.fences.get(shard);
    if (known || !shard.fence) return known;
    const fence = new ReplicationFence(shard.fence, () => this.keyAt(shard), this.replicas);
    this.fences.set(shard, fence);
    return fence;
  }

  private keyAt(shard: Shard): string | undefined {
    const tag = this.links.tagOf(shard);
    return tag === undefined ? undefined : `${this.prefix}:{${tag}}`;
  }
}
