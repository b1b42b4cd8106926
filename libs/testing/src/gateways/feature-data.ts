import { eventually } from '../waiting/eventually.js';
import type { RedisServers } from './gateway-cluster.js';
import { newMemory, type SharedData } from './feature-node.js';
import { RedisServer } from '../servers/redis-server.js';
import { TcpProxy } from '../network/tcp-proxy.js';

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
  const memory = newMemory();
  return {
    shared: { memory },
    async loseTail(work) {
      memory.pauseReplication();
      await work();
      memory.promote();
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

/** Servers of the test. */
export function serversData(servers: RedisServers): FeatureData {
  const refuse = (): Promise<never> =>
    Promise.reject(new Error("these servers are the test's own to disturb"));
  return { shared: { redis: servers.url }, loseTail: refuse, outage: refuse, stop: () => servers.stop() };
}

/** A real Redis with a replica, which the nodes reach through a proxy. */
export async function redisData(): Promise<FeatureData> {
  let pair = await replicated(await RedisServer.start());
  const proxy = await TcpProxy.start({ to: pair.master.port });
  return {
    shared: { redis: proxy.url },
    async loseTail(work) {
      const { master, replica } = pair;
      await inStep(pair);
      await replica.cli('REPLICAOF', 'NO', 'ONE');
      await work();
      proxy.target = replica.port;
      proxy.cutNow();
      await master.stop();
      pair = await replicated(replica);
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

interface Pair {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** The replica comes before the data: a master that gets its first one begins a new history. */
async function replicated(master: RedisServer): Promise<Pair> {
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
  await inStep({ master, replica });
  return { master, replica };
}

/** Resolves when the replica has all of the master's data of this moment. */
async function inStep({ master, replica }: Pair): Promise<void> {
  await eventually(async () => {
    const [own, other] = await Promise.all([replica, master].map((each) => each.cli('INFO', 'replication')));
    const offset = (info: unknown): string | undefined => /master_repl_offset:(\d+)/.exec(String(info))?.[1];
    if (!String(own).includes('master_link_status:up') || offset(own) !== offset(other)) {
      throw new Error('the replica is not in step yet');
    }
  });
}
