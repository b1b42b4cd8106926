import type { Channels, MessageListener } from './channels.js';

/** Subscriptions to several channels that are useful together only. */
export class ChannelSubscriptions {
  constructor(
    private readonly channels: Channels,
    private readonly listeners: ReadonlyMap<string, MessageListener>,
  ) {}

  /**
   * Subscribes to all channels.
   * @throws Error that names the channels when one is refused; nothing is heard then
   */
  async open(): Promise<void> {
    const opening = [...this.listeners].map(([name, listener]) => this.channels.subscribe(name, listener));
    const results = await Promise.allSettled(opening);
    const refused = results.find((result) => result.status === 'rejected');
    if (!refused) return;
    this.close();
    throw subscriptionError([...this.listeners.keys()], refused.reason as Error);
  }

  /** Ends the subscriptions, even while they are being opened. */
  close(): void {
    for (const [name, listener] of this.listeners) this.channels.unsubscribe(name, listener);
  }
}

/** Says why nothing is heard, and what to do. */
export function subscriptionError(names: readonly string[], cause: Error): Error {
  const remedy = 'Redis must be up, and its user must be allowed these channels';
  return new Error(`subscribing to ${names.join(' and ')} failed: ${cause.message}; ${remedy}`, { cause });
}
