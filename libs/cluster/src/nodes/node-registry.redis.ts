import { Logger } from '@nestjs/common';
import { type DataLinks, isListOfAll, isNumber, LuaScript, type RedisKeys, toRedisError } from '@wss/redis';
import { LEASE_MS, type Renewal } from './lease-keeper.js';
import { CONTRACT_MS, type EncodedContract } from './node-contract.js';
import {
  decodeNodes,
  encodeNode,
  type NodeInfo,
  NodeRegistry,
  type NodeRegistryOptions,
} from './node-registry.js';

/** Scripts of the node registry, to be preloaded. */
export const NODE_SCRIPTS = {
  renew: new LuaScript<0 | 1>(new URL('./lua/node_renew.lua', import.meta.url)).replies(
    (reply) => reply === 0 || reply === 1,
  ),
  time: new LuaScript<number>(new URL('./lua/node_time.lua', import.meta.url)).replies(isNumber),
  alive: new LuaScript<(string | null)[]>(new URL('./lua/node_alive.lua', import.meta.url)).replies(
    isListOfAll((item) => item === null || typeof item === 'string'),
  ),
};

/** Nodes of a cluster on one Redis; leases end by its clock. */
export class RedisNodeRegistry extends NodeRegistry {
  private readonly leaseMs: number;
  private readonly logger = new Logger(RedisNodeRegistry.name);

  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
    options: NodeRegistryOptions,
  ) {
    super(options);
    this.leaseMs = options.leaseMs ?? LEASE_MS;
  }

  async alive(): Promise<NodeInfo[]> {
    const { nodes, nodeRecords } = this.keys;
    const reply = await NODE_SCRIPTS.alive.run(this.links.commands, [nodes, nodeRecords], []);
    const entries: [string, string | null][] = [];
    for (let i = 0; i < reply.length; i += 2) entries.push([reply[i]!, reply[i + 1] ?? null]);
    return decodeNodes(entries);
  }

  async contractOf(hash: string): Promise<string | undefined> {
    return (await this.links.commands.get(this.keys.contract(hash))) ?? undefined;
  }

  protected async keepContract({ hash, json }: EncodedContract): Promise<void> {
    await this.links.commands.set(this.keys.contract(hash), json, 'PX', CONTRACT_MS);
  }

  protected now(): Promise<number> {
    return NODE_SCRIPTS.time.run(this.links.commands, [this.keys.nodes], []);
  }

  protected async renew(): Promise<Renewal> {
    const { nodes, nodeRecords } = this.keys;
    const args = [this.self.nodeId, this.leaseMs, encodeNode(this.self)];
    const renewed = await NODE_SCRIPTS.renew.run(this.links.commands, [nodes, nodeRecords], args);
    return renewed === 1 ? 'renewed' : 'taken';
  }

  protected async drop(): Promise<void> {
    const { nodes, nodeRecords } = this.keys;
    const { nodeId } = this.self;
    try {
      await this.links.commands.pipeline().zrem(nodes, nodeId).hdel(nodeRecords, nodeId).exec();
    } catch (error) {
      this.logger.warn(`the lease could not be dropped and ends by itself: ${toRedisError(error).message}`);
    }
  }
}
