import { GatewayCluster, GatewayNode } from '@wss/testing';

/** Nodes that a test runs against. */
export interface Running {
  /** One per place; on the memory engine, one node has them all. */
  readonly urls: readonly string[];
  stop(): Promise<unknown>;
}

/** Either engine with so many places for clients, by name: for `describe.each`. */
export function engines(places: number): [string, () => Promise<Running>][] {
  return [
    [
      'the memory engine, one node',
      async () => {
        const node = await GatewayNode.start();
        return { urls: Array.from({ length: places }, () => node.url), stop: () => node.stop() };
      },
    ],
    [
      `Redis, ${places} nodes`,
      async () => {
        const cluster = await GatewayCluster.start({ nodes: places });
        return { urls: cluster.nodes.map(({ url }) => url), stop: () => cluster.stop() };
      },
    ],
  ];
}
