import { Logger } from '@nestjs/common';
import { callAll, type RedisLinks, toRedisError } from '@wss/redis';
import { ChannelListeners } from './channel-listeners.js';
import { Channels, type MessageListener } from './channels.js';

/** Most channels in one SUBSCRIBE. */
const MAX_SUBSCRIBE = 500;

interface Waiting {
  readonly channel: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Channels on one Redis server, over the node's subscribing link. */
export class RedisChannels extends Channels {
  private readonly logger = new Logger(RedisChannels.name);
  private readonly listeners = new ChannelListeners();
  private readonly callbacks: ((channels: ReadonlySet<string>) => void)[] = [];
  private waiting: Waiting[] = [];

  constructor(private readonly links: RedisLinks) {
    super();
    links.subscriber.on('message', (channel: string, message: string) =>
      this.listeners.deliver(channel, message),
    );
    links.subscriber.on('ready', () => void this.subscribeAgain());
  }

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    this.listeners.add(channel, listener);
    // Asked for even where another listener is there already: its own request may not be confirmed yet.
    return new Promise<void>((resolve, reject) => {
      if (this.waiting.push({ channel, resolve, reject }) === 1) queueMicrotask(() => void this.flush());
    }).catch((error: unknown) => {
      this.unsubscribe(channel, listener);
      throw error;
    });
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    if (!this.listeners.remove(channel, listener)) return;
    if (this.links.subscriber.status !== 'ready') return;
    this.links.subscriber.unsubscribe(channel).catch((error: Error) => {
      this.logger.debug(`unsubscribing failed, the link's next life will be without it: ${error.message}`);
    });
  }

  async publish(channel: string, message: string): Promise<void> {
    try {
      await this.links.commands.publish(channel, message);
    } catch (error) {
      throw toRedisError(error);
    }
  }

  onInterruption(callback: (channels: ReadonlySet<string>) => void): void {
    this.callbacks.push(callback);
  }

  /** One command for all subscriptions that were asked for in this turn. */
  private async flush(): Promise<void> {
    const waiting = this.waiting;
    this.waiting = [];
    for (let from = 0; from < waiting.length; from += MAX_SUBSCRIBE) {
      const part = waiting.slice(from, from + MAX_SUBSCRIBE);
      try {
        await this.links.subscriber.subscribe(...part.map(({ channel }) => channel));
        for (const { resolve } of part) resolve();
      } catch (error) {
        for (const { reject } of part) reject(toRedisError(error));
      }
    }
  }

  private async subscribeAgain(): Promise<void> {
    const channels = this.listeners.channels();
    try {
      for (let from = 0; from < channels.length; from += MAX_SUBSCRIBE) {
        await this.links.subscriber.subscribe(...channels.slice(from, from + MAX_SUBSCRIBE));
      }
    } catch (error) {
      this.logger.error(`subscribing again failed, so the link is made anew: ${(error as Error).message}`);
      this.links.subscriber.disconnect(true);
      return;
    }
    callAll(this.callbacks, new Set(channels), this.logger);
  }
}
