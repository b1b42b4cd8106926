import type { RedisLinks } from '@wss/redis';
import { LinkedChannels } from './channels.linked.js';
import { SubscriberLink, type SubscribeWay } from './subscriber-link.js';
import { Subscriptions } from './subscriptions.js';

const WAY: SubscribeWay = {
  subscribe: (redis, channels) => redis.subscribe(...channels),
  unsubscribe: (redis, channels) => redis.unsubscribe(...channels),
  most: 500,
};

/** Channels on one Redis server, over the node's subscribing link. */
export class RedisChannels extends LinkedChannels {
  protected readonly subscriptions: Subscriptions;
  private readonly subscriber: SubscriberLink;

  constructor(private readonly links: RedisLinks) {
    super();
    const link = (): SubscriberLink => this.subscriber;
    this.subscriptions = new Subscriptions(
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
    this.subscriber = new SubscriberLink(links.subscriber, WAY, this.subscriptions);
    links.subscriber.on('message', (channel: string, message: string) =>
      this.subscriptions.deliver(channel, message),
    );
  }

  protected send(channel: string, message: string): Promise<unknown> {
    return this.links.commands.publish(channel, message);
  }

  protected catchUp(givenUp: AbortSignal): Promise<void> {
    return this.subscriber.catchUp(givenUp);
  }
}
