import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type SocketConstructor, WssClient } from '@wss/client';
import { VirtualClock } from './client/virtual-clock.js';

const HELLO = JSON.stringify({
  event: '$hello',
  data: {
    session: 's',
    token: 't',
    resumed: false,
    client: 'c',
    user: 'u',
    heartbeatMs: 25_000,
    maxFrameBytes: 65_536,
    rooms: [],
  },
});

const clock = new VirtualClock();
const page = new EventTarget();
const { addEventListener } = globalThis as { addEventListener?: unknown };
const { random } = Math;
let client: WssClient;
beforeEach(() => {
  clock.install();
  // The longest waits.
  Math.random = () => 0.999;
  Object.assign(globalThis, { addEventListener: page.addEventListener.bind(page) });
});
afterEach(async () => {
  client.close();
  await clock.pass(1_000);
  Object.assign(globalThis, { addEventListener });
  Math.random = random;
  clock.uninstall();
});
const change = (): boolean => page.dispatchEvent(new Event('online'));

/** A network that takes so long to connect, ms; without it no attempt succeeds. */
class Network {
  connectMs?: number;
  attempts = 0;

  connect(): SocketConstructor {
    const begin = (socket: Socket): void => {
      this.attempts++;
      const { connectMs } = this;
      clock.after(connectMs ?? 1, () => (connectMs === undefined ? socket.close() : socket.open()));
    };
    return class extends Socket {
      constructor() {
        super();
        begin(this);
      }
    } as unknown as SocketConstructor;
  }
}

class Socket {
  readonly protocol = 'wss.v1';
  onopen!: () => void;
  onmessage!: (message: { data: string }) => void;
  onclose!: (event: { code: number; reason: string }) => void;
  private isClosed = false;

  send(): void {
    this.onmessage({ data: '{"event":"answer"}' });
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onclose({ code: 1006, reason: '' });
  }
  open(): void {
    if (this.isClosed) return;
    this.onopen();
    this.onmessage({ data: HELLO });
  }
}

it('begins its waits anew on another network: the first attempt there may fail as well', async () => {
  const network = new Network();
  client = new WssClient('ws://networks/', { WebSocket: network.connect() });
  await clock.pass(120_000);
  change();
  const { attempts } = network;
  await clock.pass(100);
  expect(network.attempts).toBe(attempts + 1);
  network.connectMs = 10;
  await clock.pass(1_000);
  expect(client.status).toMatchObject({ state: 'open' });
});

it('connects over a network that is slow and changes all the time', async () => {
  const network = new Network();
  network.connectMs = 5_000;
  client = new WssClient('ws://networks/', { WebSocket: network.connect() });
  for (let seconds = 0; seconds < 20; seconds++) {
    change();
    await clock.pass(1_000);
  }
  expect(client.status).toMatchObject({ state: 'open' });
});
