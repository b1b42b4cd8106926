import { type MemoryEngine, StoreError } from '@wss/state';
import { Channels, type MessageListener } from './channels.js';

/** Channels between the nodes of one process. */
export class MemoryClusterChannels extends Channels {
  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  subscribe(channel: string, listener: MessageListener): Promise<void> {
    this.engine.channels.subscribe(channel, listener);
    return Promise.resolve();
  }

  keep(channel: string, listener: MessageListener): Promise<void> {
    return this.subscribe(channel, listener);
  }

  unsubscribe(channel: string, listener: MessageListener): void {
    this.engine.channels.unsubscribe(channel, listener);
  }

  publish(channel: string, message: string): Promise<void> {
    return this.engine.call(() => {
      if (this.engine.channels.publish(channel, message) === undefined)
        throw new StoreError('unavailable', 'publications are refused');
    });
  }

  onInterruption(): void {
    // A process does not lose its link to itself.
  }
}
