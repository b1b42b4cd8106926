import { ROOM_FORMAT } from '@wss/state';
import { PACKET_VERSION } from '../channels/cluster-packet.js';
import {
  CONTRACT_RENEWAL_MS,
  encodeContract,
  type EncodedContract,
  type NodeContract,
} from './node-contract.js';
import { LeaseKeeper, type LeaseOptions, type Renewal } from './lease-keeper.js';

/** A node's record as the others see it. */
export interface NodeInfo {
  /** New at every start of a process. */
  readonly nodeId: string;
  /** When it started, ms since 1970 by the engine's clock; 0 until it has joined. */
  readonly startedAt: number;
  /** `host:port` of its WebSocket endpoint, if it published one. */
  readonly address?: string;
  /** Version of the packets that it understands; 0 if unknown. */
  readonly packets: number;
  /** Version of its room format; 1 if unknown. */
  readonly rooms: number;
  /** Hash of its contract, if it published one. */
  readonly contract?: string;
  /** Digests of the secrets that it accepts for resume tokens, the signing one first, if it published them. */
  readonly secrets?: readonly string[];
}

/** The facts that a node publishes about itself, and the settings of its lease. */
export interface NodeRegistryOptions extends LeaseOptions {
  /** This incarnation's id. */
  readonly nodeId: string;
  /** Ms since 1970. Default: the time of its creation, by the engine's clock. */
  readonly startedAt?: number;
  /** `host:port`. Default none. */
  readonly address?: string;
}

/**
 * Knows the live nodes: each holds a lease that it renews by heartbeats, and that ends by the engine's clock if it
 * does not. A node that dies stays listed for at most the lease's duration; a node that leaves is not listed any
 * more.
 */
export abstract class NodeRegistry {
  /** This node. */
  readonly self: NodeInfo;
  private readonly madeAt = performance.now();
  private readonly keeper: LeaseKeeper;
  private contract?: EncodedContract;
  private contractDue = -Infinity;

  constructor({ nodeId, startedAt = 0, address, ...lease }: NodeRegistryOptions) {
    const versions = { packets: PACKET_VERSION, rooms: ROOM_FORMAT };
    this.self = { nodeId, startedAt, ...(address !== undefined && { address }), ...versions };
    this.keeper = new LeaseKeeper(() => this.beat(), lease);
  }

  /** True if this node's lease certainly holds now; otherwise the node is not ready. */
  get holdsLease(): boolean {
    return this.keeper.holds;
  }

  /**
   * Takes this node's lease and keeps it until {@link leave}; a second call changes nothing. A lease that ends in an
   * outage is taken again by the first heartbeat that succeeds, under the same node id.
   * @throws Error when the engine can't be reached; nothing is kept then
   */
  async join(): Promise<void> {
    await this.tellStart();
    return this.keeper.start();
  }

  /** Drops the lease at once. If the engine can't be reached, it ends by itself. Never throws. */
  async leave(): Promise<void> {
    await this.keeper.stop();
    await this.drop();
  }

  /**
   * Publishes this node's contract to the others: at once if the lease is held, else with it.
   * @throws Error when the engine can't be reached; the next heartbeat publishes it then
   */
  async describe(contract: NodeContract): Promise<void> {
    this.contract = encodeContract(contract);
    this.contractDue = -Infinity;
    (this.self as { contract?: string }).contract = this.contract.hash;
    if (this.holdsLease) await this.beat();
  }

  /** Publishes digests of the secrets for resume tokens to the other nodes, with the next heartbeat. */
  tellSecrets(digests: readonly string[]): void {
    (this.self as { secrets?: readonly string[] }).secrets = digests;
  }

  /** Calls back each time the lease was lost: other nodes may have seen this node die. */
  onLost(callback: () => void): void {
    this.keeper.onLost(callback);
  }

  /** Calls back when the lease is taken for the first time and each time it holds again after it was lost. */
  onRenewed(callback: () => void): void {
    this.keeper.onRenewed(callback);
  }

  /**
   * The nodes that hold a lease now, the longest-running first.
   * @throws Error when the engine can't be reached
   */
  abstract alive(): Promise<NodeInfo[]>;

  /**
   * Reads the contract of the nodes whose lease names this hash; `undefined` if the engine does not know it.
   * @throws Error when the engine can't be reached
   */
  abstract contractOf(hash: string): Promise<string | undefined>;

  /** Keeps a contract for {@link CONTRACT_MS}. */
  protected abstract keepContract(contract: EncodedContract): Promise<void>;

  /** The engine's clock, ms since 1970. */
  protected abstract now(): Promise<number>;

  /** Sends one heartbeat; ends within a bounded time. */
  protected abstract renew(): Promise<Renewal>;

  /** Removes the lease; never throws. */
  protected abstract drop(): Promise<void>;

  /** Sends a heartbeat. The contract is stored before the lease names it. */
  private async beat(): Promise<Renewal> {
    if (this.contract && performance.now() >= this.contractDue) {
      await this.keepContract(this.contract);
      this.contractDue = performance.now() + CONTRACT_RENEWAL_MS;
    }
    const renewal = await this.renew();
    // An engine that lost the lease may have lost the contract too.
    if (renewal === 'taken') this.contractDue = -Infinity;
    return renewal;
  }

  /** Sets the start of the node by the clock that all nodes share, so that they agree on their order (R30). */
  private async tellStart(): Promise<void> {
    if (this.self.startedAt !== 0) return;
    const now = await this.now();
    const startedAt = Math.round(now - (performance.now() - this.madeAt));
    (this.self as { startedAt: number }).startedAt ||= startedAt;
  }
}

/** The stored form of a {@link NodeInfo}. */
export function encodeNode({ startedAt, address, packets, rooms, contract, secrets }: NodeInfo): string {
  return JSON.stringify({ startedAt, address, packets, rooms, contract, secrets });
}

/** Reads nodes from their ids and records; a record that can't be read counts as one with defaults. */
export function decodeNodes(entries: Iterable<readonly [nodeId: string, record: string | null]>): NodeInfo[] {
  const nodes = [...entries].map(([nodeId, record]) => decodeNode(nodeId, record ?? ''));
  return nodes.sort((a, b) => a.startedAt - b.startedAt || (a.nodeId < b.nodeId ? -1 : 1));
}

function decodeNode(nodeId: string, record: string): NodeInfo {
  const { startedAt, address, packets, rooms, contract, secrets } = parseRecord(record);
  return {
    nodeId,
    startedAt: typeof startedAt === 'number' ? startedAt : 0,
    ...(typeof address === 'string' && { address }),
    packets: typeof packets === 'number' ? packets : 0,
    rooms: typeof rooms === 'number' ? rooms : 1,
    ...(typeof contract === 'string' && { contract }),
    ...(isStrings(secrets) && { secrets }),
  };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function parseRecord(record: string): Partial<Record<keyof NodeInfo, unknown>> {
  try {
    return (JSON.parse(record) as object | null) ?? {};
  } catch {
    return {};
  }
}
