import type { Status, WssClient } from '@wss/client';
import type { WssContract } from '../../../../../contract/wss-contract.js';
import { byId } from './dom.js';

/** Shows the state of the connection; while the client waits, it counts down. */
export function showStatus(client: WssClient<WssContract>): void {
  let timer: ReturnType<typeof setInterval> | undefined;
  const show = (): void => {
    clearInterval(timer);
    const { status } = client;
    const light = byId('status');
    light.dataset['state'] = status.state === 'open' && client.degraded ? 'waiting' : status.state;
    const until = performance.now() + (status.state === 'waiting' ? (status.inMs ?? 0) : 0);
    const write = (): void => {
      byId('status-text').textContent = textOf(status, client.degraded, until - performance.now());
    };
    write();
    if (status.state === 'waiting') timer = setInterval(write, 250);
  };
  client.onStatus(show);
  client.onDegraded(show);
  show();
}

function textOf(status: Status, degraded: boolean, leftMs: number): string {
  switch (status.state) {
    case 'connecting':
      return 'connecting';
    case 'open':
      return degraded ? 'storage out of reach' : 'live';
    case 'closed':
      return status.error?.message ?? 'closed';
    case 'waiting':
      if (!navigator.onLine) return 'offline';
      return leftMs > 500 ? `back in ${Math.ceil(leftMs / 1000)} s` : 'reconnecting';
  }
}
