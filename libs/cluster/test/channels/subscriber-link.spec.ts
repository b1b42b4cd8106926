import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as lasts } from 'node:timers/promises';
import { parseRedisTarget, RedisLinks } from '@wss/redis';
import { eventually, newSeed, Random, RedisServer, TcpProxy } from '@wss/testing';
import { SubscriberLink, type SubscriberListener } from '../../src/channels/subscriber-link.js';

const SEQUENCES = 100;
const CHANNELS = ['a', 'b', 'c'];

/** The channels that a link is wanted for, and what it said of others. */
class Claims implements SubscriberListener {
  readonly wanted = new Set<string>();
  readonly wrong: string[] = [];
  readonly asked = this.checked('asked');
  readonly confirmed = this.checked('confirmed');
  readonly failed = this.checked('failed');
  readonly lost = this.checked('lost');

  private checked(what: string) {
    return (channels: readonly string[]): void => {
      for (const channel of channels)
        if (!this.wanted.has(channel)) this.wrong.push(`${what} ${channel}, which is wanted elsewhere`);
    };
  }
}

describe('R27: a link that a channel is not wanted from any more', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let links: RedisLinks;
  beforeAll(async () => {
    server = await RedisServer.start();
    proxy = await TcpProxy.start({ to: server.port });
    links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), commandTimeoutMs: 60 });
  });
  afterAll(async () => {
    await proxy?.setMode('pass');
    await eventually(() => links?.problem() === undefined);
    await links?.close();
    await proxy?.stop();
    await server?.stop();
  });

  /** Another link may have the channel by then: such news would make a channel that is heard pass for one that is not. */
  it(`says nothing of it, in ${SEQUENCES} random sequences of wants and faults`, async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const claims = new Claims();
    const link = new SubscriberLink(links.subscriber, { subscribe, unsubscribe, most: 1 }, claims);
    for (let i = 0; i < SEQUENCES; i++) {
      const steps: string[] = [];
      for (let step = 0; step < 12; step++) steps.push(await disturb(random, link, claims));
      for (const channel of CHANNELS) link.leave(channel);
      claims.wanted.clear();
      await linkAnew();
      expect({ seed, steps, wrong: claims.wrong }).toMatchObject({ wrong: [] });
    }
  });

  /** When it resolves, all that was asked of the old connection has failed. */
  async function linkAnew(): Promise<void> {
    await proxy.setMode('pass');
    await eventually(() => links.subscriber.status === 'ready');
    const ready = new Promise<void>((resolve) => links.subscriber.once('ready', () => resolve()));
    proxy.cutNow();
    await ready;
  }

  async function disturb(random: Random, link: SubscriberLink, { wanted }: Claims): Promise<string> {
    const channel = random.pick(CHANNELS);
    const kind = random.pick(['want', 'want', 'leave', 'mute', 'cut', 'pass', 'wait', 'wait'] as const);
    if (kind === 'want') {
      wanted.add(channel);
      link.want(channel);
    } else if (kind === 'leave') {
      wanted.delete(channel);
      link.leave(channel);
    } else if (kind === 'mute' || kind === 'pass') await proxy.setMode(kind);
    else if (kind === 'cut') proxy.cutNow();
    else await lasts(random.below(20));
    return `${kind} ${channel}`;
  }
});

describe('R27: a link whose connection is lost', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let links: RedisLinks;
  beforeAll(async () => {
    server = await RedisServer.start();
    proxy = await TcpProxy.start({ to: server.port });
    // Longer than the test: nothing may wait for commands that were sent over the old connection.
    links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), commandTimeoutMs: 100_000 });
  });
  afterAll(async () => {
    await links?.close();
    await proxy?.stop();
    await server?.stop();
  });

  it('tells that what was asked over it failed, once, and asks over the next one at once', async () => {
    const told: string[] = [];
    const listener: SubscriberListener = {
      asked: (channels) => void told.push(`asked ${String(channels)}`),
      confirmed: (channels) => void told.push(`confirmed ${String(channels)}`),
      failed: (channels, { failure }) => void told.push(`failed ${String(channels)} ${failure}`),
      lost: (channels) => void told.push(`lost ${String(channels)}`),
    };
    const link = new SubscriberLink(links.subscriber, { subscribe, unsubscribe, most: 10 }, listener);
    link.want('held');
    await eventually(() => expect(told).toEqual(['asked held', 'confirmed held']));
    told.length = 0;
    for (let round = 0; round < 10; round++) {
      const channels = round % 2 === 0 ? ['held'] : ['held', 'new'];
      if (round % 2 === 1) {
        await proxy.setMode('dropReplies');
        link.want('new');
        await eventually(() => expect(told).toEqual(['asked new']));
        told.length = 0;
        await proxy.setMode('pass');
      } else proxy.cutNow();
      await eventually(() => expect(told.at(-1)).toBe(`confirmed ${String(channels)}`));
      const failed = round % 2 === 1 ? ['failed new unknown'] : [];
      const events = ['lost held', ...failed, `asked ${String(channels)}`, `confirmed ${String(channels)}`];
      expect(told.splice(0)).toEqual(events);
      link.leave('new');
    }
    expect(told).toEqual([]);
  });
});

const subscribe = (redis: RedisLinks['subscriber'], channels: readonly string[]): Promise<unknown> =>
  redis.subscribe(...channels);
const unsubscribe = (redis: RedisLinks['subscriber'], channels: readonly string[]): Promise<unknown> =>
  redis.unsubscribe(...channels);
