import { MemoryEngine } from '@wss/state';
import { newNamespace, removeNamespace } from './redis-namespace.js';
import { RedisServer } from '../servers/redis-server.js';
import { replicasInStep } from '../servers/replicas-in-step.js';
import { TcpProxy } from '../network/tcp-proxy.js';

/** Where the nodes of a test keep their data: an engine of this process, or Redis. */
export type SharedData = { readonly memory: MemoryEngine } | { readonly redis: SharedRedis };

/** Redis as the nodes are told to use it. */
export interface SharedRedis {
  readonly url: string;
  readonly namespace?: string;
  readonly durableReplicas?: number;
}

/** The data that the nodes of a test share, and the faults that it can have. */
export interface FeatureData {
  readonly shared: SharedData;
  /** Runs `work`, then fails over to a copy from before it: its writes are lost, as when a master dies. */
  loseTail(work: () => Promise<unknown>): Promise<void>;
  /** Runs `work` while no node reaches the data. */
  outage(work: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

/** Data of this process: starts in no time. */
export function memoryData(): FeatureData {
  const memory = new MemoryEngine();
  return {
    shared: { memory },
    async loseTail(work) {
      memory.pauseReplication();
      try {
        await work();
      } finally {
        memory.promote();
      }
    },
    async outage(work) {
      memory.setReachable(false);
      try {
        await work();
      } finally {
        memory.setReachable(true);
      }
    },
    stop: () => Promise.resolve(),
  };
}

/** Servers that others run, with a namespace of this test's own; its keys are removed at the end. */
export function yourRedisData(url: string): FeatureData {
  const namespace = newNamespace();
  const refuse = (): Promise<never> =>
    Promise.reject(new Error("a test can't disturb your Redis: use the engine 'memory' or 'redis'"));
  return {
    shared: { redis: { url, namespace } },
    loseTail: refuse,
    outage: refuse,
    stop: () => removeNamespace(url, namespace),
  };
}

/** A real Redis with a replica, which the nodes reach through a proxy. */
export async function redisData(): Promise<FeatureData> {
  let pair = await replicated(await firstServer());
  const proxy = await TcpProxy.start({ to: pair.master.port });
  return {
    shared: { redis: { url: proxy.url, durableReplicas: 1 } },
    async loseTail(work) {
      const { master, replica } = pair;
      await inStep(pair);
      await replica.cli('REPLICAOF', 'NO', 'ONE');
      try {
        await work();
      } finally {
        proxy.target = replica.port;
        proxy.cutNow();
        await master.stop();
        pair = { master: replica, replica: await replicaOf(replica) };
      }
      await inStep(pair);
    },
    async outage(work) {
      await proxy.setMode('cut');
      try {
        await work();
      } finally {
        await proxy.setMode('pass');
      }
    },
    async stop() {
      await proxy.stop();
      await Promise.all([pair.master.stop(), pair.replica.stop()]);
    },
  };
}

async function firstServer(): Promise<RedisServer> {
  return RedisServer.start().catch((cause: unknown) => {
    const remedy = `or let the test use engine: 'memory', or engine: { url } of a Redis that runs already`;
    throw new Error(`${(cause as Error).message}, ${remedy}`, { cause });
  });
}

interface Pair {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** The replica comes before the data: a master that gets its first one begins a new history. */
async function replicated(master: RedisServer): Promise<Pair> {
  try {
    const pair = { master, replica: await replicaOf(master) };
    await inStep(pair);
    return pair;
  } catch (error) {
    await master.stop();
    throw error;
  }
}

function inStep({ master, replica }: Pair): Promise<void> {
  return replicasInStep([master, replica]);
}

function replicaOf({ port }: RedisServer): Promise<RedisServer> {
  return RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(port)] });
}
