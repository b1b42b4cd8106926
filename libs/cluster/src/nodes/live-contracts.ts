import { Injectable } from '@nestjs/common';
import { decodeContract, type NodeContract } from './node-contract.js';
import { NodeRegistry } from './node-registry.js';

/** How long knowledge of the live nodes counts, ms. */
const FRESH_MS = 1_000;

/**
 * Knows the commands that clients may send to the other live nodes: during an update these may know more than this
 * node. It asks the engine at most once a second, however often clients make it ask.
 */
@Injectable()
export class LiveContracts {
  private readonly known = new Map<string, NodeContract>();
  private seen?: { readonly at: number; readonly contracts: Promise<NodeContract[]> };

  constructor(private readonly registry: NodeRegistry) {}

  /**
   * True if another live node has a handler for this event, in this kind of room.
   * @throws Error when the engine can't be reached
   */
  async knows(event: string, roomType: string | undefined): Promise<boolean> {
    const contracts = await this.others();
    return contracts.some(({ events }) =>
      events.some(([name, type]) => name === event && (type === null || type === roomType)),
    );
  }

  /**
   * True if another live node has this kind of room.
   * @throws Error when the engine can't be reached
   */
  async knowsRooms(roomType: string): Promise<boolean> {
    return (await this.others()).some(({ rooms }) => rooms.includes(roomType));
  }

  private others(): Promise<NodeContract[]> {
    const now = performance.now();
    if (!this.seen || now - this.seen.at >= FRESH_MS) this.seen = { at: now, contracts: this.look() };
    return this.seen.contracts;
  }

  private async look(): Promise<NodeContract[]> {
    const hashes = new Set((await this.registry.alive()).map(({ contract }) => contract));
    hashes.delete(this.registry.self.contract);
    for (const hash of this.known.keys()) if (!hashes.has(hash)) this.known.delete(hash);
    for (const hash of hashes) {
      if (hash === undefined || this.known.has(hash)) continue;
      const json = await this.registry.contractOf(hash);
      if (json !== undefined) this.known.set(hash, decodeContract(json));
    }
    return [...this.known.values()];
  }
}
