import type { MemoryEngine } from '@wss/state';
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

  unsubscribe(channel: string, listener: MessageListener): void {
    this.engine.channels.unsubscribe(channel, listener);
  }

  publish(channel: string, message: string): Promise<void> {
    return this.engine.call(() => void this.engine.channels.publish(channel, message));
  }

  onInterruption(): void {
    // A process does not lose its link to itself.
  }
}
