import type { IncomingMessage } from 'node:http';
import { UpgradeRefusal } from '@wss/messaging';

/**
 * The origins whose web pages may connect. A request without an `Origin` does not come from a browser and may
 * connect, as may a page of the same host; other origins need to be on the list.
 */
export class Origins {
  constructor(private readonly allowed: readonly string[]) {}

  /** @throws UpgradeRefusal 403 */
  check({ headers: { origin, host } }: IncomingMessage): void {
    if (origin === undefined || this.allowed.includes(origin) || this.allowed.includes('*')) return;
    if (hostOf(origin) === host) return;
    throw new UpgradeRefusal(403, 'this origin may not connect');
  }
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
