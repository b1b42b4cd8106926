import { Logger } from '@nestjs/common';
import { GATES_FORMAT, ROOM_FORMAT, STUBS_FORMAT } from '@wss/state';
import { HEARTBEAT_MS, LEASE_MS } from '../nodes/lease-keeper.js';
import type { NodeRegistry } from '../nodes/node-registry.js';
import type { PresenceStore } from './presence-store.js';
import { PresenceWatch } from './presence-watch.js';

/** Sources of the live nodes, and of the validity of that answer. */
export interface RoomFormatsOptions {
  readonly registry: Pick<NodeRegistry, 'alive' | 'self'>;
  readonly presence: Pick<PresenceStore, 'look'>;
  /** Steady clock, ms. Default this process'. */
  readonly now?: () => number;
  /** Called after each look that finds no node without stubs. */
  readonly onShared?: () => void;
}

/**
 * Knows whether every live node keeps rooms as this one does. Until that is so, nothing is left behind that an older
 * node would take for something else (R41).
 *
 * A list of nodes tells that none is older only where it is complete: after an outage, and where the engine lost its
 * data, nodes that live have no lease for a while. One that has an older node in it always counts.
 */
export class RoomFormats {
  private readonly logger = new Logger(RoomFormats.name);
  private readonly watch = new PresenceWatch(LEASE_MS);
  private readonly now: () => number;
  private timer?: NodeJS.Timeout;
  private looking?: Promise<void>;
  /** The newest format that all live nodes know, as far as is known. */
  private shared = 0;
  private lowest = 0;

  constructor(private readonly options: RoomFormatsOptions) {
    this.now = options.now ?? (() => performance.now());
  }

  /** True if, as far as is known, every live node knows stubs of ended rooms; false at first. */
  get knowStubs(): boolean {
    return this.shared >= STUBS_FORMAT;
  }

  /**
   * True if every node that holds a lease knows gates. A node that held none meanwhile and is older refuses a room with
   * a gate, so the list need not be complete.
   */
  get knowGates(): boolean {
    return this.lowest >= GATES_FORMAT;
  }

  /** Looks now and from then on. */
  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), HEARTBEAT_MS).unref();
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Looks once; a look that fails changes nothing. */
  look(): Promise<void> {
    return (this.looking ??= this.lookNow().finally(() => delete this.looking));
  }

  private async lookNow(): Promise<void> {
    const { registry, presence } = this.options;
    try {
      const startedAt = this.now();
      this.watch.saw(await presence.look(), (startedAt + this.now()) / 2);
      const nodes = await registry.alive();
      this.lowest = Math.min(ROOM_FORMAT, ...nodes.map(({ rooms }) => rooms));
      this.shared = Math.min(this.shared, this.lowest);
      if (this.lowest >= STUBS_FORMAT && this.isComplete(nodes)) this.foundShared();
    } catch (error) {
      this.watch.interrupted();
      this.logger.debug(`live nodes can't be asked for their formats: ${(error as Error).message}`);
    }
  }

  private foundShared(): void {
    this.shared = this.lowest;
    this.options.onShared?.();
  }

  /** True if every live node has had time to take its lease, as this one did. */
  private isComplete(nodes: readonly { readonly nodeId: string }[]): boolean {
    const { nodeId: own } = this.options.registry.self;
    return this.watch.isSteady(this.now()) && nodes.some(({ nodeId }) => nodeId === own);
  }
}
