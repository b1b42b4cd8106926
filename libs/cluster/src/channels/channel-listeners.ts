import { Logger } from '@nestjs/common';
import { callAll } from '@wss/redis';
import type { MessageListener } from './channels.js';

/** Keeps the listeners of each channel on this node. */
export class ChannelListeners {
  private readonly logger = new Logger('Channels');
  private readonly byChannel = new Map<string, Set<MessageListener>>();

  add(channel: string, listener: MessageListener): void {
    const listeners = this.byChannel.get(channel) ?? new Set();
    this.byChannel.set(channel, listeners.add(listener));
  }

  /** @returns true if nobody listens to the channel any more */
  remove(channel: string, listener: MessageListener): boolean {
    const listeners = this.byChannel.get(channel);
    listeners?.delete(listener);
    if (listeners?.size !== 0) return false;
    return this.byChannel.delete(channel);
  }

  has(channel: string): boolean {
    return this.byChannel.has(channel);
  }

  /** Hands a message to all listeners; one that throws costs the others nothing. */
  deliver(channel: string, message: string): void {
    callAll(this.byChannel.get(channel) ?? [], message, this.logger);
  }
}
