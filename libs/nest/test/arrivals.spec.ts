import { afterEach, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { INestApplication } from '@nestjs/common';
import { Admission, clientAddress, type WssOptions } from '@wss/nest';
import { eventually, rawUpgrade, TestClient, UpgradeRefused } from '@wss/testing';
import type { IncomingMessage } from 'node:http';
import { startApp } from './test-app.js';

const seed = Number(process.env.ARRIVALS_SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed || 1;
const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(options: Partial<WssOptions> = {}): Promise<number> {
  app = await startApp('express', {
    auth: 'none',
    drain: { windowMs: 0 },
    trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'],
    ...options,
  });
  return (app.getHttpServer().address() as AddressInfo).port;
}

/** Connects through proxies; a status when it was refused. */
async function come(port: number, forwarded: string): Promise<TestClient | number> {
  try {
    return await TestClient.connect(`ws://127.0.0.1:${port}`, { headers: { 'X-Forwarded-For': forwarded } });
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status;
    throw error;
  }
}

/** Forms of four clients: of IPv6 a /64 is one, IPv4 may be mapped, and hops before the client's own do not count. */
const FORMS: readonly (() => string)[] = [
  () => pick(['203.0.113.1', '::ffff:203.0.113.1', '203.0.113.1:4711', '9.9.9.9, 203.0.113.1, 10.0.0.7']),
  () => pick(['203.0.113.2', '203.0.113.1, 203.0.113.2', 'unknown, 203.0.113.2, 10.1.2.3, 127.0.0.9']),
  () => `2001:db8:0:1::${random(65_536).toString(16)}`,
  () => pick([`[2001:db8:0:2:${random(65_536).toString(16)}::1]:80`, '2001:0DB8:0000:0002::5, 10.0.0.1']),
];

it('counts connections by the address behind trusted proxies, exactly, while they come and go', async () => {
  const port = await start({ limits: { connectionsPerAddress: 3 } });
  const here: TestClient[][] = FORMS.map(() => []);
  for (let i = 0; i < 150; i++) {
    const who = random(FORMS.length);
    const open = here[who]!;
    if (open.length > 0 && random(3) === 0) {
      await open.pop()!.close();
      continue;
    }
    const form = FORMS[who]!();
    // The node hears of a close a moment after the client.
    const came = await (open.length < 3 ? eventuallyIn(port, form) : come(port, form));
    expect([seed, i, form, typeof came === 'number' ? came : 101]).toEqual([
      seed,
      i,
      form,
      open.length < 3 ? 101 : 429,
    ]);
    if (typeof came !== 'number') open.push(came);
  }
  await Promise.all(here.flat().map((client) => client.close()));
});

async function eventuallyIn(port: number, form: string): Promise<TestClient | number> {
  return eventually(async () => {
    const came = await come(port, form);
    if (came === 429) throw new Error('it is still counted');
    return came;
  });
}

it('believes no header of a peer that it does not trust', async () => {
  class Addresses extends Admission {
    readonly seen: (string | undefined)[] = [];
    admit(request: IncomingMessage): { user: string } {
      return { user: clientAddress(request) ?? 'nobody' };
    }
  }
  const user = async (options: Partial<WssOptions>): Promise<string> => {
    const port = await start({ auth: { use: Addresses }, ...options });
    const client = await TestClient.connect(`ws://127.0.0.1:${port}`, {
      session: true,
      headers: { 'X-Forwarded-For': '203.0.113.9' },
    });
    const name = client.hello.user;
    await client.close();
    await app!.close();
    return name;
  };
  expect(await user({})).toBe('203.0.113.9');
  expect(await user({ trustedProxies: [] })).toBe('127.0.0.1');
  expect(await user({ trustedProxies: ['192.0.2.0/24', '::/0'] })).toBe('127.0.0.1');
});

it('refuses a full node with 503 and too many handshakes with 429 and 503, with Retry-After', async () => {
  const port = await start({
    limits: { connectionsPerNode: 2, handshakesPerAddress: 1, handshakesPerSecond: 3 },
  });
  const two = [await come(port, '203.0.113.1'), await come(port, '203.0.113.2')] as TestClient[];
  expect(await rawUpgrade(port, '/', { 'X-Forwarded-For': '203.0.113.3' })).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: 'this node is full; try again\n',
  });
  await Promise.all(two.map((client) => client.close()));
  await eventually(async () => {
    const bad = await rawUpgrade(port, '/', { 'X-Forwarded-For': '203.0.113.4', 'Sec-WebSocket-Key': 'x' });
    expect(bad.status).toBe(400);
  });
  const statuses = new Set<number>();
  for (let i = 0; i < 60; i++) {
    const { status } = await rawUpgrade(port, '/', {
      'X-Forwarded-For': i < 20 ? '203.0.113.4' : `203.0.113.${5 + i}`,
      'Sec-WebSocket-Key': 'x',
    });
    statuses.add(status);
  }
  expect(statuses).toEqual(new Set([400, 429, 503]));
});

/** A complete answer over HTTP that ends the connection; `''` where it was cut without one. */
async function ends(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  try {
    return await text(socket);
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

it('cuts connections without a complete request in time with 408, and of too many the oldest', async () => {
  const port = await start({ limits: { halfOpen: 8, handshakeMs: 2_000 } });
  const witness = await TestClient.connect(`ws://127.0.0.1:${port}`);
  const slow = ends(port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const crowd: Socket[] = Array.from({ length: 60 }, () => connect(port, '127.0.0.1'));
  const answers = await Promise.all(crowd.map((socket) => text(socket)));
  for (const answer of [...answers, await slow]) {
    expect(answer).toMatch(/^HTTP/);
    const [, length, body] =
      /^HTTP\/1\.1 (?:408|503) [^]*Content-Length: (\d+)\r\n(?:[^]*?\r\n)?\r\n([^]*)$/.exec(answer)!;
    expect(body).toHaveLength(Number(length));
  }
  expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 503'))).not.toHaveLength(0);
  expect(await witness.request('$ping', {})).not.toHaveProperty('error');
  await witness.close();
});

const NEWLINES = ['\r\n', '\r\n', '\r\n', '\n', '\r'];
const CHUNKED = 'Transfer-Encoding: chunked';

/** A handshake with some things wrong, and with the end of its body: Express waits for that before it refuses one. */
function malformed(): Buffer {
  const bytes = malformedHead();
  return bytes.includes(CHUNKED) ? Buffer.concat([bytes, Buffer.from('0\r\n\r\n')]) : bytes;
}

function malformedHead(): Buffer {
  const lines = [
    pick([
      'GET / HTTP/1.1',
      'GET // HTTP/1.1',
      'POST / HTTP/1.1',
      'GET /%zz HTTP/1.1',
      'GET / HTTP/9.9',
      'GET',
      'PRI * HTTP/2.0',
      'GET http://[ HTTP/1.1',
    ]),
    pick(['Host: a', 'Host:', 'Host: a\r\nHost: b', 'X: y']),
    pick(['Connection: Upgrade', 'Connection: close', 'Connection: keep-alive, Upgrade']),
    pick(['Upgrade: websocket', 'Upgrade: WebSocket, h2c', 'Upgrade:', 'Upgrade: h2c']),
    pick(['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 12', 'Sec-WebSocket-Version: 13, 13']),
    pick([
      'Sec-WebSocket-Key: short',
      'Sec-WebSocket-Key: ',
      'Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==',
      'A: b',
    ]),
    pick([
      'Sec-WebSocket-Protocol: ,,,',
      `Sec-WebSocket-Protocol: ${'x,'.repeat(random(4_000))}`,
      'Sec-WebSocket-Protocol: \u0001',
      'B: c',
    ]),
    pick([
      'Sec-WebSocket-Extensions: permessage-deflate; =',
      `Cookie: ${'c'.repeat(random(30_000))}`,
      'Content-Length: -1',
      CHUNKED,
      `${'H: h\r\n'.repeat(random(2_500))}Z: z`,
    ]),
    pick([
      '',
      'X-Forwarded-For: ,,, \u00ff',
      `X-Forwarded-For: ${'1.1.1.1,'.repeat(random(1_500))}`,
      ': no name',
    ]),
  ];
  const bytes = Buffer.from(`${lines.join(pick(NEWLINES))}\r\n\r\n`, 'latin1');
  if (random(4) > 0) return bytes;
  const junk = randomBytes(1 + random(200));
  return random(2)
    ? Buffer.concat([bytes.subarray(0, random(bytes.length)), junk, Buffer.from('\r\n\r\n')])
    : junk;
}

it('ends hundreds of malformed handshakes with a complete answer, and serves on', async () => {
  const port = await start({ limits: { handshakeMs: 1_000 } });
  const witness = await TestClient.connect(`ws://127.0.0.1:${port}`);
  for (let i = 0; i < 400; i += 40) {
    const requests = Array.from({ length: 40 }, malformed);
    const answers = await Promise.all(requests.map((request) => ends(port, request)));
    for (const [k, answer] of answers.entries()) {
      const request = requests[k]!.toString('latin1').slice(0, 300);
      const fits = /^HTTP\/1\.1 [1-5]\d\d [^]*\r\n\r\n/.test(answer);
      expect({ seed, request, answer: answer.slice(0, 80), fits }).toMatchObject({ fits: true });
    }
  }
  expect(await witness.request('$ping', {})).not.toHaveProperty('error');
  await witness.close();
}, 120_000);

it('holds the counts of nobody that went away', async () => {
  let ask: (() => void) | undefined;
  const hang = { canActivate: () => new Promise<boolean>(() => ask?.()) };
  const port = await start({ limits: { connectionsPerAddress: 2 }, connect: [hang] });
  for (let i = 0; i < 10; i++) {
    const asked = new Promise<void>((resolve) => (ask = resolve));
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n`,
    );
    await asked;
    const gone = once(socket, 'close');
    socket.destroy();
    await gone;
  }
});
