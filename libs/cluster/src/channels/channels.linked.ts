import { toRedisError } from '@wss/redis';
import { Channels, type MessageListener, type ReturnCallbacks } from './channels.js';
import { Standstill } from './standstill.js';
import type { Subscriptions } from './subscriptions.js';

/** Channels over links to Redis; where they are subscribed, and how a message is sent, depends on the deployment. */
export abstract class LinkedChannels extends Channels {
  protected abstract readonly subscriptions: Subscriptions;
  private readonly standstill = new Standstill((givenUp) => this.catchUp(givenUp));

  /** Sends a message to all subscribers of its channel. */
  protected abstract send(channel: string, message: string): Promise<unknown>;

  /** Resolves when all links have brought everything that was published before the call. */
  protected abstract catchUp(givenUp: AbortSignal): Promise<unknown>;

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    return this.subscriptions.subscribe(channel, listener);
  }

  keep(channel: string, listener: MessageListener): Promise<void> {
    return this.subscriptions.keep(channel, listener);
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    this.subscriptions.unsubscribe(channel, listener);
  }

  async publish(channel: string, message: string): Promise<void> {
    try {
      await this.send(channel, message);
    } catch (error) {
      throw toRedisError(error);
    }
  }

  onInterruption(callback: (channels: ReadonlySet<string>) => void): void {
    this.subscriptions.onInterruption(callback);
  }

  override onReturn(callbacks: ReturnCallbacks): void {
    this.subscriptions.onReturn(callbacks);
  }

  override get behind(): Promise<void> | undefined {
    return this.standstill.behind;
  }

  override close(): void {
    this.standstill.close();
  }

  override problem(): string | undefined {
    return this.subscriptions.problem();
  }
}
