import { GatewayNode, type TcpProxy } from '@wss/testing';
import { type Dial, dialGateway } from './connection.js';
import { KEYS, LocalNode, type LocalNodeOptions } from './local-node.js';

/** A node and its way to Redis. */
export interface ChaosNode {
  readonly proxy: TcpProxy;
  dial(user: string): Dial;
  /** Ends it in an instant. */
  kill(): Promise<void>;
}

/** A node in this process. */
export interface LocalChaosNode extends ChaosNode {
  readonly local: LocalNode;
}

/** A gateway process. */
export interface ProcessNode extends ChaosNode {
  readonly gateway: GatewayNode;
}

/** Starts a node in this process. */
export async function startLocalNode(
  proxy: TcpProxy,
  options: Omit<LocalNodeOptions, 'redis'> = {},
): Promise<LocalChaosNode> {
  const local = await LocalNode.start({ redis: proxy.url, ...options });
  return { proxy, local, dial: (user) => local.dial(user), kill: () => local.kill() };
}

/** Starts a gateway process. */
export async function startProcessNode(proxy: TcpProxy): Promise<ProcessNode> {
  const env = { WSS_NAMESPACE: KEYS.namespace };
  const { CHAOS_ENTRY: entry } = process.env;
  const gateway = await GatewayNode.start({ redis: proxy.url, env, ...(entry && { entry }) });
  return {
    proxy,
    gateway,
    dial: (user) => dialGateway(gateway.url, user),
    kill: () => gateway.kill(),
  };
}

/** Dials one of the nodes that there are at that time, another one each time. */
export function dialAnyOf(nodes: () => readonly ChaosNode[], first = 0): (user: string) => Dial {
  let next = first;
  return (user) => (listener, token) => {
    const all = nodes();
    const node = all[next++ % all.length];
    if (!node) return Promise.reject(new Error('there is no node'));
    return node.dial(user)(listener, token);
  };
}
