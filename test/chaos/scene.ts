import type { DriverClient } from './driver-client.js';
import { type LocalNodeOptions } from './local-node.js';
import { type LocalChaosNode, startLocalNode } from './nodes.js';
import { RedisPair } from './redis-pair.js';
import { Stage } from './stage.js';

/** The room in which scenes play. */
export const ROOM = 'counter:scene';
/** How long a scene with a flaw may take to settle: many flaws are found because it never does. */
const FLAWED_SETTLES_WITHIN_MS = 4_000;

/**
 * A small stage on which a test decides every step: two nodes on a Redis pair, and clients that go to the nodes that
 * it names.
 */
export class Scene {
  private readonly places = new Map<string, number>();

  private constructor(
    readonly pair: RedisPair,
    readonly nodes: readonly LocalChaosNode[],
    readonly stage: Stage,
  ) {}

  /**
   * Plays a scene.
   * @returns what the checkers found
   */
  static async play(
    act: (scene: Scene) => Promise<void>,
    options: Omit<LocalNodeOptions, 'redis'>,
  ): Promise<readonly string[]> {
    const pair = await RedisPair.start();
    const proxies = [await pair.proxy(), await pair.proxy()];
    const nodes = await Promise.all(proxies.map((proxy) => startLocalNode(proxy, options)));
    const stage = new Stage({
      rooms: [ROOM],
      clients: ['ann', 'ben', 'cat'],
      port: () => pair.master.port,
      ...(options.flaw && { settleWithinMs: FLAWED_SETTLES_WITHIN_MS }),
    });
    try {
      await act(new Scene(pair, nodes, stage));
      return (await stage.finish()).problems;
    } finally {
      await stage.leave();
      await Promise.all(nodes.map((node) => node.kill()));
      await pair.stop();
    }
  }

  /** Brings the next client on, connected to this node. */
  client(node: number): Promise<DriverClient> {
    return this.stage.client((user) => {
      this.places.set(user, node);
      return (listener, token) => this.nodes[this.places.get(user)!]!.dial(user)(listener, token);
    });
  }

  /** The client loses its connection and goes to this node. */
  move(client: DriverClient, node: number): void {
    this.places.set(client.name, node);
    client.drop();
  }

  /** Number of the newest event, in the engine itself. */
  async top(): Promise<number> {
    return (await this.stage.archive.tops()).get(ROOM)!;
  }

  /** Fails over to a replica that ends at this number. */
  async failOver(end: number): Promise<void> {
    const { pair, stage } = this;
    await pair.failOver();
    stage.history.add({ type: 'rollback', room: ROOM, at: stage.history.now(), end });
    await pair.restock();
  }
}
