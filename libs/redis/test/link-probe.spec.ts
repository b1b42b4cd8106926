import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually, RedisServer, TcpProxy } from '@wss/testing';
import { LinkProbe, parseRedisTarget, RedisLinks } from '../src/index.js';

const CHANNEL = 'probe';
const LATE = 'late';

let server: RedisServer;
let proxy: TcpProxy;
/** For commands only. */
let slow: TcpProxy;
const all: RedisLinks[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
  proxy = await TcpProxy.start({ to: server.port });
  slow = await TcpProxy.start({ to: server.port });
  for (const url of [server.url, proxy.url]) await linksOf(url);
});
afterAll(async () => {
  for (const links of all) await links.close();
  await proxy?.stop();
  await slow?.stop();
  await server?.stop();
});

async function linksOf(url: string): Promise<RedisLinks> {
  const links = await RedisLinks.connect({ target: parseRedisTarget(url) });
  all.push(links);
  return links;
}

it('takes no link for deaf that has come back, because probes were lost while it was away', async () => {
  const [{ commands, reads }, { subscriber }] = all as [RedisLinks, RedisLinks];
  let ticks = 0;
  const way = { channel: () => (ticks++, CHANNEL), publish: 'PUBLISH', server: 'Redis' } as const;
  const probe = new LinkProbe({ commands, reads, subscriber }, way);
  const hear = async (): Promise<void> => {
    await subscriber.subscribe(CHANNEL);
    probe.heardAgain();
  };
  subscriber.on('message', (_channel, message: string) => probe.onMessage(message));
  subscriber.on('ready', () => void hear());
  await hear();
  probe.start();
  const answered = async (): Promise<void> => {
    const before = probe.record.answered;
    await eventually(() => expect(probe.record.answered).toBeGreaterThan(before), { withinMs: 20_000 });
  };
  await answered();
  await proxy.setMode('cut');
  const sent = ticks + 1;
  await eventually(() => expect(ticks).toBeGreaterThan(sent), { withinMs: 20_000 });
  await proxy.setMode('pass');
  await answered();
  await answered();
  probe.stop();
  expect(probe.record.replacements).toEqual([]);
});

it('takes no link for deaf because a probe was told of that was sent before the channel was heard again', async () => {
  const { commands, reads } = await linksOf(slow.url);
  const [{ subscriber: witness }, { subscriber }] = all as [RedisLinks, RedisLinks];
  const way = { channel: () => LATE, publish: 'PUBLISH', server: 'Redis' } as const;
  const probe = new LinkProbe({ commands, reads, subscriber }, way);
  subscriber.on('message', (channel, message: string) => channel === LATE && probe.onMessage(message));
  const sent = new Promise((resolve) => witness.once('message', resolve));
  await witness.subscribe(LATE);
  slow.latencyMs = 250;
  probe.start();
  await sent;
  await subscriber.subscribe(LATE);
  probe.heardAgain();
  const { record } = probe;
  await eventually(() => expect(record.answered + record.replacements.length).toBeGreaterThan(0), {
    withinMs: 20_000,
  });
  probe.stop();
  expect(record.replacements).toEqual([]);
});
