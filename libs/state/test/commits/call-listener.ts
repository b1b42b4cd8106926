import type { Redis } from 'ioredis';
import type { CallChannels } from '../../src/commits/writer-queue.js';

type Listener = (message: string) => void;

/** Subscriptions for one node, over the link that each channel needs. */
export function callListener(linkOf: (channel: string) => Redis, kind: '' | 's' = ''): CallChannels {
  const listeners = new Map<string, Listener>();
  const followed = new Set<Redis>();
  return {
    async subscribe(channel, listener) {
      const link = linkOf(channel);
      listeners.set(channel, listener);
      if (!followed.has(link)) {
        followed.add(link);
        link.on(`${kind}message`, (from: string, message: string) => listeners.get(from)?.(message));
      }
      await link[`${kind}subscribe`](channel);
    },
    unsubscribe(channel) {
      listeners.delete(channel);
      // A link that is closed has no subscriptions.
      linkOf(channel)
        [`${kind}unsubscribe`](channel)
        .catch(() => undefined);
    },
  };
}
