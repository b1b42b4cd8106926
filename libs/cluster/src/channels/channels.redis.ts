import { type RedisLinks, toRedisError } from '@wss/redis';
import { Channels, type MessageListener } from './channels.js';
import { LinkedChannels } from './channels.linked.js';
import { SubscriberLink, type SubscribeWay } from './subscriber-link.js';

const WAY: SubscribeWay = {
  subscribe: (redis, channels) => redis.subscribe(...channels),
  unsubscribe: (redis, channels) => redis.unsubscribe(...channels),
  most: 500,
};

/** Channels on one Redis server, over the node's subscribing link. */
export class RedisChannels extends Channels {
  private readonly channels: LinkedChannels;

  constructor(private readonly links: RedisLinks) {
    super();
    const link = (): SubscriberLink => subscriber;
    this.channels = new LinkedChannels(
      {
        want: (channel) => link().want(channel),
        leave: (channel) => link().leave(channel),
        holds: (channel) => link().holds(channel),
        mayPass: () => false,
        get failingMs() {
          return link().failingMs;
        },
      },
      0,
    );
    const subscriber = new SubscriberLink(links.subscriber, WAY, this.channels);
    links.subscriber.on('message', (channel: string, message: string) =>
      this.channels.deliver(channel, message),
    );
  }

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    return this.channels.subscribe(channel, listener);
  }

  keep(channel: string, listener: MessageListener): Promise<void> {
    return this.channels.keep(channel, listener);
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    this.channels.unsubscribe(channel, listener);
  }

  async publish(channel: string, message: string): Promise<void> {
    try {
      await this.links.commands.publish(channel, message);
    } catch (error) {
      throw toRedisError(error);
    }
  }

  onInterruption(callback: (channels: ReadonlySet<string>) => void): void {
    this.channels.onInterruption(callback);
  }

  override problem(): string | undefined {
    return this.channels.problem();
  }
}
