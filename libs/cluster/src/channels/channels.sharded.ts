import { type ClusterLinks, RedisError, slotOf } from '@wss/redis';
import type { Redis } from 'ioredis';
import { LinkedChannels } from './channels.linked.js';
import { SubscriberLink, type SubscribeWay } from './subscriber-link.js';
import { Subscriptions } from './subscriptions.js';

/** How long a subscription is tried while a slot moves, ms. */
const PATIENCE_MS = 1_500;

const WAY: SubscribeWay = {
  subscribe: (redis, channels) => redis.ssubscribe(...channels),
  unsubscribe: (redis, channels) => redis.sunsubscribe(...channels),
  // Channels of one command must have one slot.
  most: 1,
};

interface Seat {
  readonly slot: number;
  /** The link that it is wanted from; undefined while the master of the slot is unknown. */
  link?: SubscriberLink | undefined;
}

/**
 * Channels on a Redis Cluster: sharded publications, which stay within the servers that have the channel's slot. One
 * subscribing link to each master. When a link is lost, or a slot moves and the server ends the subscriptions of its
 * channels, only these are subscribed again, at the slot's new master.
 */
export class ShardedChannels extends LinkedChannels {
  protected readonly subscriptions: Subscriptions;
  private readonly seats = new Map<string, Seat>();
  private readonly byRedis = new WeakMap<Redis, SubscriberLink>();

  constructor(private readonly links: ClusterLinks) {
    super();
    const failingMs = (): number => this.failingMs();
    this.subscriptions = new Subscriptions(
      {
        want: (channel) => this.want(channel),
        leave: (channel) => this.leave(channel),
        holds: (channel) => this.seats.get(channel)?.link?.holds(channel) ?? false,
        mayPass: (channel, error) => this.mayPass(channel, error),
        get failingMs() {
          return failingMs();
        },
      },
      PATIENCE_MS,
    );
    links.onSubscriber((redis) => this.follow(redis));
    links.onLook(() => this.seatAll());
  }

  protected send(channel: string, message: string): Promise<unknown> {
    return this.links.commands.spublish(channel, message);
  }

  protected catchUp(givenUp: AbortSignal): Promise<unknown> {
    const links = this.links.shards.map(({ subscriber }) => this.byRedis.get(subscriber));
    return Promise.all(links.map((link) => link?.catchUp(givenUp)));
  }

  private follow(redis: Redis): void {
    const link = new SubscriberLink(redis, WAY, this.subscriptions);
    this.byRedis.set(redis, link);
    redis.on('smessage', (channel: string, message: string) => this.subscriptions.deliver(channel, message));
    // By this error the driver says that a subscription was ended or refused because its slot is elsewhere, but not
    // which one.
    redis.on('moved', () => void this.links.refresh().then(() => link.doubt()));
  }

  private want(channel: string): void {
    const seat = this.seats.get(channel) ?? { slot: slotOf(channel) };
    this.seats.set(channel, seat);
    if (seat.link && seat.link === this.linkOf(seat)) return seat.link.want(channel);
    this.seat(channel, seat);
  }

  private leave(channel: string): void {
    this.seats.get(channel)?.link?.leave(channel);
    this.seats.delete(channel);
  }

  private linkOf({ slot }: Seat): SubscriberLink | undefined {
    const redis = this.links.shardOf(slot)?.subscriber;
    return redis && this.byRedis.get(redis);
  }

  /** Wants each channel from the master that has its slot now. */
  private seatAll(): void {
    for (const [channel, seat] of this.seats) if (seat.link !== this.linkOf(seat)) this.seat(channel, seat);
  }

  private seat(channel: string, seat: Seat): void {
    const { link: former } = seat;
    if (former?.holds(channel)) this.subscriptions.lost([channel]);
    former?.leave(channel);
    seat.link = this.linkOf(seat);
    if (seat.link) seat.link.want(channel);
    else
      this.subscriptions.failed(
        [channel],
        new RedisError('unsent', `the master of slot ${seat.slot} is unknown`),
      );
  }

  /** Asks for the slot's master, so that the next attempt goes there. */
  private mayPass(channel: string, error: RedisError): boolean {
    const slot = slotOf(channel);
    const passes = this.links.mayPass(slot, error);
    if (passes) void this.links.refresh();
    return passes;
  }

  private failingMs(): number {
    let longest = 0;
    for (const { subscriber } of this.links.shards)
      longest = Math.max(longest, this.byRedis.get(subscriber)?.failingMs ?? 0);
    return longest;
  }
}
