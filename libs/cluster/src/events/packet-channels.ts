import { Injectable, Logger } from '@nestjs/common';
import { RedisKeys } from '@wss/redis';
import { Channels, type MessageListener } from '../channels/channels.js';
import { type ClusterPacket, decodePacket } from '../channels/cluster-packet.js';
import { ChannelSubscriptions } from '../channels/channel-subscriptions.js';
import { NodeRegistry } from '../nodes/node-registry.js';

/** Called with each packet of another node. */
export type PacketListener = (packet: ClusterPacket) => void;

/**
 * Carries packets between nodes: at most once, in order per sender and channel. One channel is for all nodes, and
 * each node has one of its own, for messages to it alone and for the answers to its calls.
 *
 * A node does not hear itself: it handles its own packets directly.
 */
@Injectable()
export class PacketChannels {
  private readonly logger = new Logger(PacketChannels.name);
  private lastId = 0;
  private subscriptions?: ChannelSubscriptions;

  constructor(
    readonly channels: Channels,
    private readonly keys: RedisKeys,
    private readonly registry: NodeRegistry,
  ) {}

  get nodeId(): string {
    return this.registry.self.nodeId;
  }

  /** True if answers to this node's calls can arrive. */
  get listening(): boolean {
    return this.subscriptions !== undefined;
  }

  /** An id for a packet of this node. */
  nextId(): string {
    return (++this.lastId).toString(36);
  }

  /**
   * Sends a packet, as `encodePacket` wrote it, to one node, or to all others.
   * @throws Error when the engine can't be reached
   */
  send(text: string, nodeId?: string): Promise<void> {
    return this.channels.publish(nodeId === undefined ? this.keys.cluster : this.keys.node(nodeId), text);
  }

  /**
   * Receives all packets for this node from now on; resolves when both channels are confirmed.
   * @throws Error that names the channels when one is refused; nothing is heard then
   */
  async listen(listener: PacketListener): Promise<void> {
    const onMessage: MessageListener = (message) => this.receive(message, listener);
    const names = [this.keys.cluster, this.keys.node(this.nodeId)];
    const listeners = new Map(names.map((name) => [name, onMessage]));
    const subscriptions = new ChannelSubscriptions(this.channels, listeners);
    await subscriptions.open();
    this.subscriptions = subscriptions;
  }

  /** Stops listening. */
  stop(): void {
    this.subscriptions?.close();
    delete this.subscriptions;
  }

  private receive(message: string, listener: PacketListener): void {
    const packet = decodePacket(message);
    if (!packet) return this.logger.debug('ignored a message that is not a packet of this version');
    if (packet.from !== this.nodeId) listener(packet);
  }
}
