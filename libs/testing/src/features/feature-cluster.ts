import { Logger } from '@nestjs/common';
import { converged } from '../clients/convergence.js';
import { TestClient, type TestClientOptions } from '../clients/test-client.js';
import { TestRoom, type TestRoomOptions } from '../clients/test-room.js';
import { entered } from '../lifetimes.js';
import { eventually } from '../waiting/eventually.js';
import { type FeatureData, memoryData, redisData, yourRedisData } from './feature-data.js';
import { FeatureNode, type FeatureNodeOptions } from './feature-node.js';

/** A Redis that runs already: one server, a Redis Cluster, or sentinels. */
export interface YourRedis {
  /** As in `WssOptions.redis`, e.g. `redis://127.0.0.1:6379`. */
  readonly url: string;
}

/** How a {@link FeatureCluster} is started. */
export interface FeatureClusterOptions extends FeatureNodeOptions {
  /** How many nodes; default 2. */
  readonly nodes?: number;
  /**
   * Where the nodes keep their data. `memory`, the default, needs nothing and starts in milliseconds. `redis` starts
   * the machine's `redis-server` (7.0 or newer) and a replica of it. With a URL the cluster uses a random namespace
   * on that Redis, and removes its keys at the end.
   */
  readonly engine?: 'memory' | 'redis' | YourRedis;
}

/**
 * How nodes on data that is there are started.
 * @internal
 */
export interface ClusterOptions extends Omit<FeatureClusterOptions, 'engine'> {
  /** The nodes' names begin with it; default `node`. Clusters that share data need different ones. */
  readonly nodeName?: string;
}

/** How a user connects to a {@link FeatureCluster}. */
export interface FeatureClientOptions extends Omit<TestClientOptions, 'user'> {
  /** Index of the node; default the next one that runs, in turn, so that users are spread over the nodes. */
  readonly node?: number;
}

/** How a user connects, for a test of frames. */
export interface FeatureConnectOptions extends FeatureClientOptions {
  /** A room to join, e.g. `poll:1`; default none. {@link FeatureCluster.join} watches the room too. */
  readonly room?: string;
  /** Joins with the room's documents, and gets patches; default false. */
  readonly state?: boolean;
}

/** How a user connects and joins a room. */
export interface FeatureMemberOptions extends FeatureClientOptions, TestRoomOptions {}

/** How a node is added; parts that are absent are those of the cluster. */
export type AddedNodeOptions = Partial<FeatureNodeOptions>;

const SERVES_WITHIN_MS = 15_000;

/**
 * Feature modules on several nodes inside the test's process: the server's own code with real WebSockets, and shared
 * data that can fail over. The same test runs on memory and on a real Redis.
 */
export class FeatureCluster {
  /** In the order of their start; nodes that were stopped stay in the list. */
  readonly nodes: FeatureNode[] = [];
  private readonly clients: TestClient[] = [];
  private readonly stopped = new Set<FeatureNode>();
  private turn = 0;
  private end?: Promise<void>;
  private readonly released = entered('FeatureCluster', () => this.stop());

  private constructor(
    private readonly options: FeatureNodeOptions,
    private readonly data: FeatureData,
    private readonly nodeName: string,
  ) {}

  /**
   * Starts the data and the nodes, and waits until they serve. The logger is set for the whole process.
   * @throws Error that says what to do, when a feature does not boot, when there is no `redis-server`, or when no HTTP
   *   platform of Nest is installed
   */
  static async start(options: FeatureClusterOptions): Promise<FeatureCluster> {
    const { engine = 'memory' } = options;
    if (engine === 'memory') return FeatureCluster.on(memoryData(), options);
    return FeatureCluster.on(engine === 'redis' ? await redisData() : yourRedisData(engine.url), options);
  }

  /**
   * Starts the nodes on data that is there, and takes care of its end.
   * @internal
   */
  static async on(
    data: FeatureData,
    { nodes = 2, nodeName = 'node', logger = ['error', 'fatal'], ...options }: ClusterOptions,
  ): Promise<FeatureCluster> {
    Logger.overrideLogger(logger);
    const cluster = new FeatureCluster({ ...options, logger }, data, nodeName);
    try {
      for (let i = 0; i < nodes; i++) await cluster.addNode();
      return cluster;
    } catch (error) {
      await cluster.stop().catch(() => undefined);
      throw error;
    }
  }

  /** Starts one more node; with other features it is one of another release. */
  async addNode(options: AddedNodeOptions = {}): Promise<FeatureNode> {
    const name = `${this.nodeName}${this.nodes.length}`;
    const node = await FeatureNode.start(name, this.data.shared, { ...this.options, ...options });
    this.nodes.push(node);
    return node;
  }

  /** Ends a node in order; its clients are closed with 1012. Does nothing the second time. */
  async stopNode(index: number): Promise<void> {
    const node = this.nodeAt(index);
    if (this.stopped.has(node)) return;
    this.stopped.add(node);
    await node.stop();
  }

  /**
   * Connects a user. The cluster closes the client at its end.
   * @throws UpgradeRefused when admission refuses the user; CommandFailed when the room does
   */
  async connect(user: string, options: FeatureConnectOptions = {}): Promise<TestClient> {
    const { node = this.nextNode(), room, state = false, ...rest } = options;
    const client = await TestClient.connect(this.nodeAt(node).url, { ...rest, user });
    this.clients.push(client);
    if (room !== undefined) await client.join(room, { state });
    return client;
  }

  /**
   * Connects a user and joins a room. The cluster closes the client at its end.
   * @throws UpgradeRefused when admission refuses the user; CommandFailed when the room does
   */
  async join(user: string, room: string, options: FeatureMemberOptions = {}): Promise<TestRoom> {
    const { state, last, meta, ...rest } = options;
    return TestRoom.join(await this.connect(user, rest), room, { state, last, meta });
  }

  /**
   * Lets a user come back whose connection was lost, or who moves: see {@link TestClient.reconnect}.
   * @param node index of the node; default the next one that runs, in turn
   */
  async reconnect(who: TestClient | TestRoom, node = this.nextNode()): Promise<void> {
    const client = who instanceof TestRoom ? who.client : who;
    await client.reconnect(this.nodeAt(node).url);
  }

  /**
   * Waits until these members of one room have all seen the same events to the end, and until their live copies are
   * equal, also to the documents that a client finds who joins now, on any running node.
   * @returns the documents by name
   * @throws Error that names the member and the difference, when it is not so within {@link setPatience}'s time, or when a member missed an
   *   event, got one twice, or in another order
   */
  converged<Documents = Record<string, unknown>>(...members: TestRoom[]): Promise<Documents> {
    const urls = this.running.map(({ url }) => url);
    return converged(members, urls) as Promise<Documents>;
  }

  /**
   * Loses data like a failover: the effects of `work` are answered and seen, and then gone from the engine. Resolves
   * when all nodes serve again; members that saw the lost events get `$reset`.
   * @throws the error of `work`, after the failover; Error on a Redis of yours
   */
  async loseTail(work: () => Promise<unknown>): Promise<void> {
    await this.data.loseTail(work);
    await this.ready();
  }

  /**
   * Runs `work` while the engine is out of reach; resolves when all nodes serve again.
   * @throws the error of `work`, after the outage; Error on a Redis of yours
   */
  async outage(work: () => Promise<unknown>): Promise<void> {
    await this.data.outage(work);
    await this.ready();
  }

  /**
   * Closes the clients, ends the nodes, and the data last: neither a timer nor a connection of the cluster is left.
   * @throws Error when a part does not end in order; the others are ended all the same
   */
  stop(): Promise<void> {
    return (this.end ??= this.stopAll());
  }

  private async stopAll(): Promise<void> {
    this.released();
    await Promise.all(this.clients.map((client) => client.close()));
    const ends = await Promise.allSettled(this.nodes.map((_, index) => this.stopNode(index)));
    await this.data.stop();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  private get running(): FeatureNode[] {
    return this.nodes.filter((node) => !this.stopped.has(node));
  }

  private nodeAt(index: number): FeatureNode {
    const node = this.nodes[index];
    if (!node) throw new RangeError(`there is no node ${index}: the cluster has ${this.nodes.length}`);
    return node;
  }

  private nextNode(): number {
    const { running } = this;
    if (running.length === 0) throw new Error('all nodes were stopped');
    return this.nodes.indexOf(running[this.turn++ % running.length]!);
  }

  private async ready(): Promise<void> {
    await eventually(
      () => {
        const problems = this.running.flatMap((node) => node.problems());
        if (problems.length > 0) throw new Error(problems.join(', '));
      },
      { withinMs: SERVES_WITHIN_MS },
    );
  }
}
