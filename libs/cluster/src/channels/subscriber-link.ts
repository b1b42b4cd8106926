import { Logger } from '@nestjs/common';
import { GrowingPause, LogGate } from '@wss/protocol';
import { isRedirection, RedisError, toRedisError } from '@wss/redis';
import type { Redis } from 'ioredis';

/** How channels are subscribed on a kind of server. */
export interface SubscribeWay {
  subscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  unsubscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  /** Most channels in one command. */
  readonly most: number;
}

/** Hears what becomes of the channels of a link. */
export interface SubscriberListener {
  /** No later message can be missed while the link holds. */
  confirmed(channels: readonly string[]): void;
  /** They are not subscribed now; what is wanted is tried on. */
  failed(channels: readonly string[], error: RedisError): void;
  /** They were subscribed and may not be any more. */
  lost(channels: readonly string[]): void;
}

/** Pauses between attempts at what a server refuses, ms. */
const PAUSES = { firstMs: 50, mostMs: 5_000 };

/**
 * One subscribing link, and the channels that are wanted from it: they are subscribed whenever the link is up, and
 * nothing else is, whatever happens to the link or to a command in between (R27).
 */
export class SubscriberLink {
  private readonly gate = new LogGate((line) => new Logger('Channels').warn(line));
  private readonly wanted = new Set<string>();
  /** Confirmed in the link's present life. */
  private readonly held = new Set<string>();
  /** The server may have them subscribed in the link's present life. */
  private readonly possible = new Set<string>();
  /** Channels whose state may differ from the wanted one. */
  private unsettled = new Set<string>();
  /** Refused; tried again after a pause. */
  private readonly resting = new Set<string>();
  private readonly pause = new GrowingPause(PAUSES);
  private life = 0;
  private settling = false;
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

  /** The channel is to be subscribed from now on. */
  want(channel: string): void {
    this.wanted.add(channel);
    this.unsettle(channel);
  }

  /** The channel is to be subscribed no more. */
  leave(channel: string): void {
    this.wanted.delete(channel);
    this.resting.delete(channel);
    this.unsettle(channel);
  }

  holds(channel: string): boolean {
    return this.held.has(channel) && this.wanted.has(channel);
  }

  /** For how long something has been refused though the link is up, ms; 0 while nothing is. */
  get failingMs(): number {
    return this.failingSince === undefined ? 0 : performance.now() - this.failingSince;
  }

  /** The server may have ended any subscription: all are made anew. */
  doubt(): void {
    const held = [...this.held];
    this.held.clear();
    for (const channel of this.wanted) this.unsettled.add(channel);
    this.listener.lost(held);
    void this.settle();
  }

  private begin(): void {
    this.interrupt();
    for (const channel of this.wanted) this.unsettled.add(channel);
    void this.settle();
  }

  private interrupt(): void {
    this.life++;
    const held = [...this.held];
    for (const set of [this.held, this.possible, this.unsettled, this.resting]) set.clear();
    clearTimeout(this.timer);
    delete this.timer;
    this.succeed();
    if (held.length > 0) this.listener.lost(held);
  }

  private unsettle(channel: string): void {
    this.unsettled.add(channel);
    // Channels asked for in one turn go out together.
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
    await Promise.all([
      ...batches(over, this.way.most).map((batch) => this.unsubscribe(batch)),
      ...batches(open, this.way.most).map((batch) => this.subscribe(batch)),
    ]);
  }

  private succeed(): void {
    this.pause.reset();
    this.gate.over('subscribe');
    delete this.failingSince;
  }

  private async subscribe(channels: readonly string[]): Promise<void> {
    const { life, redis } = this;
    if (redis.status !== 'ready')
      return this.listener.failed(channels, new RedisError('unsent', `the link to Redis is ${redis.status}`));
    for (const channel of channels) this.possible.add(channel);
    try {
      await this.way.subscribe(redis, channels);
    } catch (error) {
      return this.onFailure(channels, toRedisError(error), life);
    }
    // In another life of the link all that is wanted was asked for anew.
    if (life !== this.life) return;
    for (const channel of channels) {
      this.held.add(channel);
      this.resting.delete(channel);
    }
    for (const channel of channels) if (!this.wanted.has(channel)) this.unsettled.add(channel);
    this.listener.confirmed(channels.filter((channel) => this.wanted.has(channel)));
  }

  private async onFailure(channels: readonly string[], error: RedisError, life: number): Promise<void> {
    const answered = error.failure !== 'unknown';
    if (life === this.life && answered) {
      // A command that names one channel which is refused subscribes none.
      if (channels.length > 1)
        return void (await Promise.all(channels.map((channel) => this.subscribe([channel]))));
      for (const channel of channels) this.possible.delete(channel);
    }
    if (life === this.life) this.rest(channels, error);
    this.listener.failed(channels, error);
  }

  private rest(channels: readonly string[], error: RedisError): void {
    for (const channel of channels) {
      if (this.wanted.has(channel)) this.resting.add(channel);
      else this.unsettled.add(channel);
    }
    // A slot that moves is looked for where it is then.
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
      // Without an answer it may still be subscribed; a server that refuses has it no more.
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
