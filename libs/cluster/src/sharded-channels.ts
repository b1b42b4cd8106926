import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { callAll, type ClusterLinks, RedisError, slotOf, toRedisError } from '@wss/redis';
import type { Redis } from 'ioredis';
import { ChannelListeners } from './channel-listeners.js';
import { Channels, type MessageListener } from './channels.js';

/** How long a subscription is tried while a slot moves, ms. */
const PATIENCE_MS = 1_500;
/** Pause between two attempts, ms. */
const PAUSE_MS = 50;

interface Subscribed {
  readonly channel: string;
  readonly slot: number;
  /** The link over which it is confirmed. */
  seat?: Redis;
  /** Whether the server may have ended it since. */
  doubtful: boolean;
}

/**
 * Channels on a Redis Cluster: sharded publications, which stay within the servers that have the channel's slot. One
 * subscribing link to each master. When a link is lost, or a slot moves and the server ends the subscriptions of its
 * channels, just these are made anew, where the slot is then.
 */
export class ShardedChannels extends Channels {
  private readonly logger = new Logger(ShardedChannels.name);
  private readonly listeners = new ChannelListeners();
  private readonly subscribed = new Map<string, Subscribed>();
  private readonly callbacks: ((channels: ReadonlySet<string>) => void)[] = [];
  private settling = false;
  private unsettled = false;

  constructor(private readonly links: ClusterLinks) {
    super();
    links.onSubscriber((redis) => this.follow(redis));
    links.onLook(() => void this.settle());
  }

  async subscribe(channel: string, listener: MessageListener): Promise<void> {
    this.listeners.add(channel, listener);
    const subscribed = this.subscribed.get(channel) ?? { channel, slot: slotOf(channel), doubtful: false };
    this.subscribed.set(channel, subscribed);
    try {
      await this.confirm(subscribed);
    } catch (error) {
      this.unsubscribe(channel, listener);
      throw error;
    }
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    if (!this.listeners.remove(channel, listener)) return;
    const { seat } = this.subscribed.get(channel)!;
    this.subscribed.delete(channel);
    if (seat) this.leave(seat, channel);
  }

  async publish(channel: string, message: string): Promise<void> {
    try {
      await this.links.commands.spublish(channel, message);
    } catch (error) {
      throw toRedisError(error);
    }
  }

  onInterruption(callback: (channels: ReadonlySet<string>) => void): void {
    this.callbacks.push(callback);
  }

  private follow(redis: Redis): void {
    redis.on('smessage', (channel: string, message: string) => this.listeners.deliver(channel, message));
    redis.on('ready', () => void this.settle());
    redis.on('close', () => {
      for (const subscribed of this.subscribed.values())
        if (subscribed.seat === redis) delete subscribed.seat;
    });
    // The driver tells so that a subscription was ended or refused because its slot is elsewhere, not which.
    redis.on('moved', () => {
      for (const subscribed of this.subscribed.values()) subscribed.doubtful ||= subscribed.seat === redis;
      void this.links.refresh();
    });
  }

  private holds({ seat, slot, doubtful }: Subscribed): boolean {
    return seat !== undefined && !doubtful && seat === this.links.shardOf(slot)?.subscriber;
  }

  /** @throws RedisError when no server confirms it in time */
  private async confirm(subscribed: Subscribed): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    while (!this.holds(subscribed)) {
      try {
        await this.seat(subscribed);
      } catch (error) {
        if (performance.now() >= until || !this.links.mayPass(subscribed.slot, error))
          throw toRedisError(error);
        await delay(PAUSE_MS);
        await this.links.refresh();
      }
    }
  }

  private async seat(subscribed: Subscribed): Promise<void> {
    const { channel, slot, seat: former } = subscribed;
    const redis = this.links.shardOf(slot)?.subscriber;
    if (redis?.status !== 'ready')
      throw new RedisError('unsent', `the link to Redis is ${redis?.status ?? 'unknown'}`);
    subscribed.doubtful = false;
    await redis.ssubscribe(channel);
    // Meanwhile the link may have been lost, or nobody may listen any more.
    if (this.subscribed.get(channel) !== subscribed) {
      if (!this.subscribed.has(channel)) this.leave(redis, channel);
    } else if (redis.status === 'ready') {
      subscribed.seat = redis;
      if (former && former !== redis) this.leave(former, channel);
    }
  }

  /** Makes the subscriptions anew that do not hold any more, and tells which were interrupted. */
  private async settle(): Promise<void> {
    this.unsettled = true;
    if (this.settling) return;
    this.settling = true;
    while (this.unsettled) {
      this.unsettled = false;
      await this.settleOnce();
    }
    this.settling = false;
  }

  private async settleOnce(): Promise<void> {
    const again = new Set<string>();
    const open = [...this.subscribed.values()].filter((subscribed) => !this.holds(subscribed));
    await Promise.all(
      open.map(async (subscribed) => {
        const { channel, seat: former } = subscribed;
        // Where it is not possible now, the next look or the link's next life tries again.
        await this.seat(subscribed).catch((error: Error) =>
          this.logger.debug(`${channel} is not subscribed: ${error.message}`),
        );
        if (subscribed.seat !== undefined && subscribed.seat !== former) again.add(channel);
      }),
    );
    if (again.size > 0) callAll(this.callbacks, again, this.logger);
  }

  private leave(redis: Redis, channel: string): void {
    if (redis.status !== 'ready') return;
    redis.sunsubscribe(channel).catch((error: Error) => {
      this.logger.debug(`unsubscribing failed, the link's next life will be without it: ${error.message}`);
    });
  }
}
