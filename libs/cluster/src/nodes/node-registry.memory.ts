import { Logger } from '@nestjs/common';
import type { MemoryEngine } from '@wss/state';
import { LEASE_MS, type Renewal } from './lease-keeper.js';
import type { EncodedContract } from './node-contract.js';
import {
  decodeNodes,
  encodeNode,
  type NodeInfo,
  NodeRegistry,
  type NodeRegistryOptions,
} from './node-registry.js';
import { ContractTable, NodeTable } from './node-table.memory.js';

/** Nodes of one process; leases end by the engine's clock. */
export class MemoryNodeRegistry extends NodeRegistry {
  private readonly nodes = this.engine.table(NodeTable);
  private readonly contracts = this.engine.table(ContractTable);
  private readonly leaseMs: number;
  private readonly logger = new Logger(MemoryNodeRegistry.name);

  constructor(
    private readonly engine: MemoryEngine,
    options: NodeRegistryOptions,
  ) {
    super(options);
    this.leaseMs = options.leaseMs ?? LEASE_MS;
  }

  alive(): Promise<NodeInfo[]> {
    return this.engine.call(() => {
      const now = this.engine.now();
      const held = [...this.nodes.rows].filter(([, { endsAt }]) => endsAt > now);
      return decodeNodes(held.map(([nodeId, { record }]) => [nodeId, record] as const));
    });
  }

  contractOf(hash: string): Promise<string | undefined> {
    return this.engine.call(() => this.contracts.rows.get(hash));
  }

  protected keepContract({ hash, json }: EncodedContract): Promise<void> {
    return this.engine.call(() => void this.contracts.rows.set(hash, json));
  }

  protected now(): Promise<number> {
    return this.engine.call(() => this.engine.now());
  }

  protected renew(): Promise<Renewal> {
    return this.engine.call(() => {
      const nodes = this.nodes.rows;
      const now = this.engine.now();
      for (const [nodeId, { endsAt }] of nodes) if (endsAt <= now) nodes.delete(nodeId);
      const renewal = nodes.has(this.self.nodeId) ? 'renewed' : 'taken';
      nodes.set(this.self.nodeId, { endsAt: now + this.leaseMs, record: encodeNode(this.self) });
      return renewal;
    });
  }

  protected async drop(): Promise<void> {
    try {
      await this.engine.call(() => void this.nodes.rows.delete(this.self.nodeId));
    } catch (error) {
      this.logger.warn(`the lease could not be dropped and ends by itself: ${(error as Error).message}`);
    }
  }
}
