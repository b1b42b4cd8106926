import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as lasts } from 'node:timers/promises';
import { eventually, newSeed, Random } from '@wss/testing';
import type { Channels } from '../../src/index.js';
import type { MessageListener } from '../../src/channels/channels.js';

/** A node's channels, and what can happen to its links. */
export interface ChannelsUnderTest {
  readonly channels: Channels;
  /** Channels that the servers have subscribers of. */
  subscribed(): Promise<string[]>;
  publish(channel: string, message: string): Promise<void>;
  /** Ways to disturb the links; each resolves at once. */
  readonly faults: readonly ((random: Random) => Promise<void>)[];
  /** Ends every fault. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  readonly sequences: number;
}

const CHANNELS = Array.from({ length: 6 }, (_, i) => `wanted:{${i}}`);

export function wantedChannelsContract(
  name: string,
  start: () => Promise<ChannelsUnderTest>,
  { sequences }: Options,
): void {
  describe(`R27: channels that are wanted on ${name}`, () => {
    let engine: ChannelsUnderTest;
    beforeAll(async () => void (engine = await start()));
    afterAll(() => engine?.stop());

    it(`are subscribed in the end, and nothing else is, after any of ${sequences} sequences of faults`, async () => {
      const seed = newSeed();
      const random = new Random(seed);
      for (let i = 0; i < sequences; i++) {
        const sequence = new Sequence(engine, random.fork());
        try {
          await sequence.run();
        } catch (cause) {
          throw new Error(`CHAOS_SEED=${seed}, sequence ${i}:\n${sequence.steps.join('\n')}`, { cause });
        }
      }
    }, 3_600_000);
  });
}

/** Wants come and go while the links are disturbed. */
class Sequence {
  readonly steps: string[] = [];
  private readonly wanted = new Map<MessageListener, { channel: string; heard: string[] }>();
  private readonly asked: Promise<void>[] = [];

  constructor(
    private readonly engine: ChannelsUnderTest,
    private readonly random: Random,
  ) {}

  async run(): Promise<void> {
    const length = 5 + this.random.below(20);
    for (let step = 0; step < length; step++) await this.step();
    await this.engine.heal();
    let open = this.asked.length;
    for (const each of this.asked) void each.finally(() => open--);
    await eventually(() => expect(open).toBe(0), { withinMs: 20_000 });
    await this.expectSubscribed();
    await this.expectHeard();
    for (const [listener, { channel }] of this.wanted) this.engine.channels.unsubscribe(channel, listener);
    this.wanted.clear();
    await this.expectSubscribed();
  }

  private async step(): Promise<void> {
    const kind = this.random.below(10);
    if (kind < 3) this.want('keep');
    else if (kind < 5) this.want('subscribe');
    else if (kind < 8) this.leave();
    else await this.disturb();
    if (this.random.below(3) === 0) await lasts(this.random.below(30));
    else if (this.random.below(2) === 0) await Promise.resolve();
  }

  private want(way: 'keep' | 'subscribe'): void {
    const channel = this.random.pick(CHANNELS);
    const heard: string[] = [];
    const listener: MessageListener = (message) => void heard.push(message);
    this.steps.push(`${way} ${channel}`);
    this.wanted.set(listener, { channel, heard });
    this.asked.push(
      this.engine.channels[way](channel, listener).catch(() => {
        expect(way).toBe('subscribe');
        this.wanted.delete(listener);
      }),
    );
  }

  private leave(): void {
    if (this.wanted.size === 0) return;
    const [listener, { channel }] = this.random.pick([...this.wanted]);
    this.steps.push(`leave ${channel}`);
    this.wanted.delete(listener);
    this.engine.channels.unsubscribe(channel, listener);
  }

  private async disturb(): Promise<void> {
    const { faults } = this.engine;
    const index = this.random.below(faults.length + 1);
    this.steps.push(index === faults.length ? 'heal' : `fault ${index}`);
    await (index === faults.length ? this.engine.heal() : faults[index]!(this.random));
  }

  private async expectSubscribed(): Promise<void> {
    await eventually(
      async () => {
        const channels = new Set([...this.wanted.values()].map(({ channel }) => channel));
        expect((await this.engine.subscribed()).sort()).toEqual([...channels].sort());
      },
      { withinMs: 20_000 },
    );
  }

  private async expectHeard(): Promise<void> {
    for (const channel of CHANNELS) await this.engine.publish(channel, 'marker');
    await eventually(() => {
      for (const { heard } of this.wanted.values()) expect(heard).toEqual(['marker']);
    });
  }
}
