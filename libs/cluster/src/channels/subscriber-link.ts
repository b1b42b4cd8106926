import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { GrowingPause, LogGate } from '@wss/protocol';
import { isRedirection, RedisError, toRedisError } from '@wss/redis';
import type { Redis } from 'ioredis';

/** The way in which channels are subscribed on a kind of server. */
export interface SubscribeWay {
  subscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  unsubscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  /** Largest number of channels in one command. */
  readonly most: number;
}

/**
 * Hears of changes to the subscriptions of a link, for channels that are wanted from it at that moment: what was asked
 * before a channel went to another link may fail much later.
 */
export interface SubscriberListener {
  /** The channels are about to be subscribed. */
  asked(channels: readonly string[]): void;
  /** The channels are subscribed: no later message can be missed while the link holds. */
  confirmed(channels: readonly string[]): void;
  /** The channels are not subscribed now; the link keeps trying. */
  failed(channels: readonly string[], error: RedisError): void;
  /** The channels were subscribed and may not be any more. */
  lost(channels: readonly string[]): void;
}

/** Pauses between attempts after a server refused, ms. */
const PAUSES = { firstMs: 50, mostMs: 5_000 };

/**
 * One subscribing link, and the channels that are wanted from it: exactly these are subscribed whenever the link is
 * up, whatever happens to the link or to a command in between (R27).
 */
export class SubscriberLink {
  private readonly gate = new LogGate((line) => new Logger('Channels').warn(line));
  private readonly wanted = new Set<string>();
  /** Channels that are confirmed since the link was opened. */
  private readonly held = new Set<string>();
  /** Channels that the server may have subscribed since the link was opened. */
  private readonly possible = new Set<string>();
  /** Channels that are being subscribed, without an answer. */
  private readonly asked = new Set<string>();
  /** Channels whose state may differ from the wanted one. */
  private unsettled = new Set<string>();
  /** Refused channels, which are tried again after a pause. */
  private readonly resting = new Set<string>();
  private readonly pause = new GrowingPause(PAUSES);
  private life = 0;
  private settling = false;
  /** Ends the wait for answers of this life. */
  private abandon?: () => void;
  private failingSince?: number;
  private timer?: NodeJS.Timeout;

  constructor(
    readonly redis: Redis,
    private readonly way: SubscribeWay,
    private readonly listener: SubscriberListener,
  ) {
    redis.on('ready', () => this.begin());
    redis.on('close', () => this.interrupt());
  }

  /** Subscribes the channel from now on. */
  want(channel: string): void {
    this.wanted.add(channel);
    this.unsettle(channel);
  }

  /** Ends the subscription of the channel. */
  leave(channel: string): void {
    this.wanted.delete(channel);
    this.resting.delete(channel);
    this.unsettle(channel);
  }

  holds(channel: string): boolean {
    return this.held.has(channel) && this.wanted.has(channel);
  }

  /** How long a channel has been refused although the link is up, ms; 0 while none is. */
  get failingMs(): number {
    return this.failingSince === undefined ? 0 : performance.now() - this.failingSince;
  }

  /** Subscribes all channels again, because the server may have ended any of them. */
  doubt(): void {
    const held = [...this.held];
    this.held.clear();
    for (const channel of this.wanted) this.unsettled.add(channel);
    this.lose(held);
    void this.settle();
  }

  /**
   * Resolves when the link has brought everything that was published before the call: the server answers behind it. A new
   * link asks for its channels first.
   */
  async catchUp(givenUp: AbortSignal): Promise<void> {
    const pause = new GrowingPause(PAUSES);
    while (!givenUp.aborted) {
      try {
        return void (await this.redis.ping());
      } catch {
        // The link is being replaced, or does not answer; the probe of the links tells of that.
        await delay(pause.next(), undefined, { ref: false });
      }
    }
  }

  private begin(): void {
    this.interrupt();
    for (const channel of this.wanted) this.unsettled.add(channel);
    void this.settle();
  }

  /** The driver answers nothing that was asked over a lost connection before its time is over, so nobody waits for it. */
  private interrupt(): void {
    this.life++;
    const [held, asked] = [[...this.held], [...this.asked]];
    for (const set of [this.held, this.possible, this.asked, this.unsettled, this.resting]) set.clear();
    clearTimeout(this.timer);
    delete this.timer;
    this.succeed();
    this.abandon?.();
    this.lose(held);
    this.fail(asked, new RedisError('unknown', 'the link to Redis was lost'));
  }

  private lose(channels: readonly string[]): void {
    const lost = this.stillWanted(channels);
    if (lost.length > 0) this.listener.lost(lost);
  }

  private fail(channels: readonly string[], error: RedisError): void {
    const failed = this.stillWanted(channels);
    if (failed.length > 0) this.listener.failed(failed, error);
  }

  private stillWanted(channels: readonly string[]): readonly string[] {
    return channels.filter((channel) => this.wanted.has(channel));
  }

  private unsettle(channel: string): void {
    this.unsettled.add(channel);
    // Channels that are wanted in one turn go out together.
    if (!this.settling && this.unsettled.size === 1) queueMicrotask(() => void this.settle());
  }

  private async settle(): Promise<void> {
    if (this.settling) return;
    this.settling = true;
    while (this.unsettled.size > 0) await this.settleOnce();
    this.settling = false;
    if (this.resting.size === 0) this.succeed();
  }

  private async settleOnce(): Promise<void> {
    const channels = [...this.unsettled];
    this.unsettled = new Set();
    const [open, over] = [[] as string[], [] as string[]];
    for (const channel of channels) {
      if (!this.wanted.has(channel)) {
        if (this.possible.has(channel)) over.push(channel);
      } else if (this.held.has(channel)) this.listener.confirmed([channel]);
      else open.push(channel);
    }
    const answers = Promise.all([
      ...batches(over, this.way.most).map((batch) => this.unsubscribe(batch)),
      ...batches(open, this.way.most).map((batch) => this.subscribe(batch)),
    ]);
    await new Promise<unknown>((resolve, reject) => {
      this.abandon = () => resolve(undefined);
      answers.then(resolve, reject);
    });
  }

  private succeed(): void {
    this.pause.reset();
    this.gate.over('subscribe');
    delete this.failingSince;
  }

  private async subscribe(channels: readonly string[]): Promise<void> {
    const { life, redis } = this;
    if (redis.status !== 'ready')
      return this.fail(channels, new RedisError('unsent', `the link to Redis is ${redis.status}`));
    for (const set of [this.possible, this.asked]) channels.forEach((channel) => set.add(channel));
    this.listener.asked(channels);
    try {
      await this.way.subscribe(redis, channels);
    } catch (error) {
      return this.onFailure(channels, toRedisError(error), life);
    }
    // After the link was replaced, all wanted channels were requested again.
    if (life !== this.life) return;
    for (const channel of channels) {
      this.asked.delete(channel);
      this.held.add(channel);
      this.resting.delete(channel);
    }
    for (const channel of channels) if (!this.wanted.has(channel)) this.unsettled.add(channel);
    this.listener.confirmed(this.stillWanted(channels));
  }

  private async onFailure(channels: readonly string[], error: RedisError, life: number): Promise<void> {
    // Its end was told, and the channels may be held over the next connection by now.
    if (life !== this.life) return;
    for (const channel of channels) this.asked.delete(channel);
    if (error.failure !== 'unknown') {
      // A command with one refused channel subscribes none.
      if (channels.length > 1)
        return void (await Promise.all(channels.map((channel) => this.subscribe([channel]))));
      for (const channel of channels) this.possible.delete(channel);
    }
    this.rest(channels, error);
    this.fail(channels, error);
  }

  private rest(channels: readonly string[], error: RedisError): void {
    for (const channel of channels) {
      if (this.wanted.has(channel)) this.resting.add(channel);
      else this.unsettled.add(channel);
    }
    // The next attempt looks for the slot again.
    if (!isRedirection(error)) this.report(error);
    this.failingSince ??= performance.now();
    this.wait();
  }

  private report({ message }: RedisError): void {
    this.gate.report(
      'subscribe',
      `a channel can't be subscribed (${message}); the node keeps trying, and its clients miss events meanwhile. Allow Redis' user all channels of the namespace`,
    );
  }

  private wait(): void {
    this.timer ??= setTimeout(() => this.tryAgain(), this.pause.next()).unref();
  }

  private tryAgain(): void {
    delete this.timer;
    for (const channel of this.resting) this.unsettled.add(channel);
    this.resting.clear();
    void this.settle();
  }

  private async unsubscribe(channels: readonly string[]): Promise<void> {
    const { life, redis } = this;
    if (redis.status !== 'ready') return;
    for (const channel of channels) this.held.delete(channel);
    try {
      await this.way.unsubscribe(redis, channels);
    } catch (error) {
      // Without an answer the channel may still be subscribed; after a refusal it is not.
      if (life === this.life && toRedisError(error).failure === 'unknown') {
        for (const channel of channels) this.resting.add(channel);
        return this.wait();
      }
    }
    if (life !== this.life) return;
    for (const channel of channels) {
      this.possible.delete(channel);
      if (this.wanted.has(channel)) this.unsettled.add(channel);
    }
  }
}

function batches(channels: readonly string[], most: number): string[][] {
  const found: string[][] = [];
  for (let from = 0; from < channels.length; from += most) found.push(channels.slice(from, from + most));
  return found;
}
