import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually, RedisServer, TcpProxy } from '@wss/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LinkProbe, parseRedisTarget, RedisLinks } from '../src/index.js';
import type { ProbedLinks } from '../src/links/link-probe.js';

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

const linksIn = ({ commands, reads, subscriber }: RedisLinks): ProbedLinks => ({
  commands,
  reads,
  subscriber,
});

async function linksOf(url: string, commandTimeoutMs?: number): Promise<RedisLinks> {
  const target = parseRedisTarget(url);
  const links = await RedisLinks.connect({
    target,
    ...(commandTimeoutMs !== undefined && { commandTimeoutMs }),
  });
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

it.each(['commands', 'reads'] as const)(
  'takes no link of %s for mute by one failure, after another one from before it came back',
  async (role) => {
    slow.latencyMs = 0;
    const muted = await linksOf(slow.url, 500);
    const [direct] = all as [RedisLinks];
    let ticks = 0;
    const way = { channel: () => (ticks++, CHANNEL), publish: 'PUBLISH', server: 'Redis' } as const;
    const probe = new LinkProbe({ ...linksIn(direct), [role]: muted[role] }, way);
    await direct.subscriber.subscribe(CHANNEL);
    direct.subscriber.on('message', (_channel, message: string) => probe.onMessage(message));
    const failure = async (): Promise<void> => {
      await slow.setMode('mute');
      const before = ticks;
      await eventually(() => expect(ticks).toBeGreaterThan(before), { withinMs: 20_000 });
      // The questions of the probe over this link fail before it.
      await expect(muted[role].ping()).rejects.toThrow();
      await nextTurn();
    };
    probe.start();
    await failure();
    await slow.setMode('cut');
    await slow.setMode('pass');
    await eventually(async () => expect(await muted[role].ping()).toBe('PONG'), { withinMs: 20_000 });
    await failure();
    probe.stop();
    expect(probe.record.replacements).toEqual([]);
    await slow.setMode('cut');
    await slow.setMode('pass');
  },
);
