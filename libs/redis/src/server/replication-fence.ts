import type { Redis } from 'ioredis';

/** How long the key that a fence writes is kept after the last one, ms: a node that is gone leaves nothing. */
const KEY_MS = 3_600_000;

interface FenceWait {
  readonly replicationId: string;
  /** On this process' steady clock, ms. */
  readonly deadline: number;
  readonly resolve: (durable: boolean) => void;
}

/** Proves that writes have reached all replicas that may be promoted. */
export interface Fence {
  /**
   * Resolves to true if everything written on this history until now survives a failover, or to false if that is not
   * proven within the time, ms.
   * @param key one that was written
   */
  wait(replicationId: string, withinMs: number, key: string): Promise<boolean>;
}

/**
 * Proves that writes have reached the replicas: one write and one WAIT for all callers that wait at a time. The
 * replication stream is ordered, so the fence covers everything that was answered before it was written. It counts
 * only on the history that the write was made on.
 */
export class ReplicationFence implements Fence {
  private waiting: FenceWait[] = [];
  private running = false;

  constructor(
    /** A connection of its own: WAIT blocks it. */
    private readonly redis: Redis,
    /** The key to write; undefined while no key is known that the server has. */
    private readonly key: string | (() => string | undefined),
    /** Replicas that may be promoted; all of them must have it. */
    readonly replicas: number,
  ) {}

  wait(replicationId: string, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.waiting.push({ replicationId, deadline: performance.now() + withinMs, resolve });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      const history = await this.fence(
        Math.max(...group.map(({ deadline }) => deadline)) - performance.now(),
      );
      for (const waiter of group) this.answer(waiter, history);
    }
    this.running = false;
  }

  private answer(waiter: FenceWait, history: string | undefined): void {
    if (history !== undefined) return waiter.resolve(history === waiter.replicationId);
    if (performance.now() >= waiter.deadline) return waiter.resolve(false);
    this.waiting.push(waiter);
  }

  /** The history on which all replicas have everything; undefined if they do not, or no answer comes. */
  private async fence(withinMs: number): Promise<string | undefined> {
    const timeoutMs = Math.max(1, Math.min(500, withinMs));
    try {
      const key = typeof this.key === 'string' ? this.key : this.key();
      if (this.redis.status !== 'ready' || key === undefined) throw new Error('it can not be written now');
      const replies = await this.redis
        .pipeline()
        .set(key, 1, 'PX', KEY_MS)
        .wait(this.replicas, timeoutMs)
        .info('replication')
        .exec();
      const [written, reached, info] = replies ?? [];
      // Without the write, WAIT would be content with what this connection wrote before.
      if (!written || written[0] || !reached || reached[0]) return undefined;
      if (Number(reached[1]) < this.replicas) return undefined;
      return /master_replid:(\w+)/.exec(String(info?.[1]))?.[1];
    } catch {
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, timeoutMs)));
      return undefined;
    }
  }
}
