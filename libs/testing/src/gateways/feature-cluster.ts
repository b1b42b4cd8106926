import { eventually } from '../waiting/eventually.js';
import type { FeatureData } from './feature-data.js';
import type { FeatureModules, FeatureNode, FeatureNodeOptions } from './feature-node.js';
import type { RedisServers } from './gateway-cluster.js';
import { TestClient, type TestClientOptions } from '../clients/test-client.js';

/** How a {@link FeatureCluster} is started. */
export interface FeatureClusterOptions {
  /** The modules under test. */
  readonly features: FeatureModules;
  /** How many nodes; default 2. */
  readonly nodes?: number;
  /**
   * `memory` (default) needs nothing and starts in milliseconds; `redis` starts a real one of its own. Servers that
   * run already, e.g. `SentinelServers`, are stopped with the cluster, and have the faults that the test gives them.
   */
  readonly engine?: 'memory' | 'redis' | RedisServers;
  /** Variables of the nodes' configuration, e.g. `{ SESSION_TTL_MS: '2000' }`; default none. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The node that a client connects to, and the room that it joins. */
export interface FeatureClientOptions extends Omit<TestClientOptions, 'user'> {
  /** Index of the node; default 0. */
  readonly node?: number;
  /** A room to join, e.g. `poll:1`. */
  readonly room?: string;
  /** Joins with the room's documents, and gets patches; default no. */
  readonly state?: boolean;
}

/**
 * Feature modules on several nodes inside the test's process: the gateway's own code with real WebSockets, and
 * shared data that can fail over. The same test runs on memory and on a real Redis.
 */
export class FeatureCluster {
  /** In the order of their start; nodes that were stopped stay in the list. */
  readonly nodes: FeatureNode[] = [];
  private readonly clients: TestClient[] = [];
  private readonly stopped = new Set<FeatureNode>();

  private constructor(
    private readonly options: FeatureNodeOptions,
    private readonly data: FeatureData,
  ) {}

  /** @throws Error that says what to do, when a feature does not boot. */
  static async start({
    features,
    nodes = 2,
    engine = 'memory',
    env = {},
  }: FeatureClusterOptions): Promise<FeatureCluster> {
    // The gateway's code is loaded by those tests only that run it in their own process.
    const { memoryData, redisData, serversData } = await import('./feature-data.js');
    const data = await (engine === 'memory'
      ? memoryData()
      : engine === 'redis'
        ? redisData()
        : serversData(engine));
    const cluster = new FeatureCluster({ features, env }, data);
    try {
      for (let i = 0; i < nodes; i++) await cluster.addNode();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Starts one more node; with other features it is one of another release. */
  async addNode(features = this.options.features): Promise<FeatureNode> {
    const { FeatureNode: Node } = await import('./feature-node.js');
    const options = { ...this.options, features };
    const node = await Node.start(`node${this.nodes.length}`, this.data.shared, options);
    this.nodes.push(node);
    return node;
  }

  /** Ends a node in order; its clients are closed with 1012. */
  async stopNode(index: number): Promise<void> {
    const node = this.nodes[index]!;
    if (this.stopped.has(node)) return;
    this.stopped.add(node);
    await node.stop();
  }

  /** Connects a user to a node, and joins the room if one is given. The cluster closes the client at its end. */
  async connect(user: string, options: FeatureClientOptions = {}): Promise<TestClient> {
    const { node = 0, room, state = false, ...rest } = options;
    const client = await TestClient.connect(this.nodes[node]!.url, { ...rest, user });
    this.clients.push(client);
    if (room !== undefined) await client.join(room, { state });
    return client;
  }

  /**
   * Loses data like a failover: the effects of `work` are answered and seen, and then gone from the engine. Resolves
   * when all nodes serve again; members that saw the lost events get `$reset`.
   */
  async loseTail(work: () => Promise<unknown>): Promise<void> {
    await this.data.loseTail(work);
    await this.ready();
  }

  /** Runs `work` while the engine is out of reach; resolves when all nodes serve again. */
  async outage(work: () => Promise<unknown>): Promise<void> {
    await this.data.outage(work);
    await this.ready();
  }

  /** Closes the clients, ends the nodes, and the data last. */
  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.nodes.map((_, index) => this.stopNode(index)));
    await this.data.stop();
  }

  private async ready(): Promise<void> {
    await eventually(
      () => {
        const problems = this.nodes
          .filter((node) => !this.stopped.has(node))
          .flatMap((node) => node.problems());
        if (problems.length > 0) throw new Error(problems.join(', '));
      },
      { withinMs: 15_000 },
    );
  }
}
