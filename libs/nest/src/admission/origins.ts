import type { IncomingMessage } from 'node:http';
import { UpgradeRefusal } from '@wss/messaging';

/** Names by which browsers reach their own machine. */
const LOCAL = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * The origins whose web pages may connect. A request without an `Origin` does not come from a browser and may
 * connect, as may a page of the same host; other origins need to be on the list. `'local'`: those of any port of this
 * host and of the browser's own machine.
 */
export class Origins {
  constructor(private readonly allowed: readonly string[] | 'local') {}

  /** @throws UpgradeRefusal 403 */
  check({ headers: { origin, host } }: IncomingMessage): void {
    if (origin === undefined) return;
    const from = urlOf(origin);
    if (from?.host === host) return;
    if (this.allowed === 'local' ? isLocal(from, host) : this.isListed(origin)) return;
    throw new UpgradeRefusal(403, 'this origin may not connect');
  }

  private isListed(origin: string): boolean {
    return this.allowed.includes(origin) || this.allowed.includes('*');
  }
}

function isLocal(from: URL | undefined, host: string | undefined): boolean {
  if (!from) return false;
  return LOCAL.test(from.hostname) || from.hostname === urlOf(`http://${host}`)?.hostname;
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
