import { Logger } from '@nestjs/common';
import { callAll, type RedisError } from '@wss/redis';
import { ChannelListeners } from './channel-listeners.js';
import type { MessageListener, ReturnCallbacks } from './channels.js';
import type { SubscriberListener } from './subscriber-link.js';

/** Refusals that last this long make the node unready, ms. */
const FAILING_MS = 5_000;
/** Largest number of messages that wait; others are lost, as in the interruption. */
const MOST_EARLY = 10_000;

interface WaitingListener {
  readonly listener: MessageListener;
  /** How long callers wait for failures that pass by themselves, ms on this process' steady clock. */
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Where channels are subscribed. */
export interface ChannelSeats {
  /** Subscribes the channel now and whenever its link is replaced. */
  want(channel: string): void;
  leave(channel: string): void;
  holds(channel: string): boolean;
  /** True if a failure passes by itself soon, so that callers may wait on. */
  mayPass(channel: string, error: RedisError): boolean;
  /** For how long something has been refused though the links are up, ms. */
  readonly failingMs: number;
}

/**
 * Subscriptions over subscribing links: the wanted channels are kept here, and the links' owner subscribes them again
 * (R27).
 */
export class Subscriptions implements SubscriberListener {
  private readonly logger = new Logger('Channels');
  private readonly listeners = new ChannelListeners();
  private readonly waiting = new Map<string, WaitingListener[]>();
  /** Channels that are wanted but were not heard for a while. */
  private readonly interrupted = new Set<string>();
  private readonly callbacks: ((channels: ReadonlySet<string>) => void)[] = [];
  private readonly returns: ReturnCallbacks[] = [];
  private heardAgain = new Set<string>();
  /** Messages of channels that were interrupted, until that has been told. */
  private early: [channel: string, message: string][] = [];

  /** @param patienceMs how long a subscription waits for failures that pass by themselves */
  constructor(
    private readonly seats: ChannelSeats,
    private readonly patienceMs: number,
  ) {}

  /** See `Channels.subscribe`. */
  subscribe(channel: string, listener: MessageListener): Promise<void> {
    this.listeners.add(channel, listener);
    if (this.seats.holds(channel)) return Promise.resolve();
    return new Promise<void>((resolve, reject) => {
      const waiting = this.waiting.get(channel) ?? [];
      waiting.push({ listener, until: performance.now() + this.patienceMs, resolve, reject });
      this.waiting.set(channel, waiting);
      this.seats.want(channel);
    });
  }

  /** See `Channels.keep`. */
  keep(channel: string, listener: MessageListener): Promise<void> {
    this.listeners.add(channel, listener);
    if (this.seats.holds(channel)) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const waiting = this.waiting.get(channel) ?? [];
      waiting.push({ listener, until: Infinity, resolve, reject: () => resolve() });
      this.waiting.set(channel, waiting);
      this.seats.want(channel);
    });
  }

  /** See `Channels.unsubscribe`. */
  unsubscribe(channel: string, listener: MessageListener): void {
    this.settle(
      channel,
      (waiting) => waiting.listener === listener,
      ({ resolve }) => resolve(),
    );
    if (!this.listeners.remove(channel, listener)) return;
    this.interrupted.delete(channel);
    this.seats.leave(channel);
  }

  /** See `Channels.onInterruption`. */
  onInterruption(callback: (channels: ReadonlySet<string>) => void): void {
    this.callbacks.push(callback);
  }

  /** See `Channels.onReturn`. */
  onReturn(callbacks: ReturnCallbacks): void {
    this.returns.push(callbacks);
  }

  /** Says what is wrong with the wanted channels; `undefined` while all are subscribed, or a link is down. */
  problem(): string | undefined {
    const { failingMs } = this.seats;
    if (failingMs <= FAILING_MS) return undefined;
    return `Redis: channels have not been subscribed for ${Math.round(failingMs / 1_000)} s; if Redis is reachable, allow its user all channels of the namespace`;
  }

  /**
   * Hands a message to the channel's listeners. The first messages after an interruption wait until listeners were
   * told of it: they would pass for the ones that follow what was heard last (R39).
   */
  deliver(channel: string, message: string): void {
    if (this.interrupted.has(channel) || this.heardAgain.has(channel)) {
      if (this.early.length < MOST_EARLY) this.early.push([channel, message]);
      return;
    }
    this.listeners.deliver(channel, message);
  }

  asked(channels: readonly string[]): void {
    if (this.interrupted.size === 0 || this.returns.length === 0) return;
    const returning = channels.filter((channel) => this.interrupted.has(channel));
    if (returning.length > 0) for (const callbacks of this.returns) callbacks.returning(returning);
  }

  confirmed(channels: readonly string[]): void {
    for (const channel of channels) {
      this.settle(
        channel,
        () => true,
        ({ resolve }) => resolve(),
      );
      if (this.interrupted.delete(channel)) this.tellLater(channel);
    }
  }

  failed(channels: readonly string[], error: RedisError): void {
    for (const channel of channels) {
      if (!this.listeners.has(channel)) continue;
      this.interrupted.add(channel);
      this.giveUp(channel, error);
    }
    for (const callbacks of this.returns) {
      if (error.failure === 'refused') callbacks.refused(channels);
      else callbacks.lost(channels);
    }
  }

  lost(channels: readonly string[]): void {
    for (const channel of channels) if (this.listeners.has(channel)) this.interrupted.add(channel);
    for (const callbacks of this.returns) callbacks.lost(channels);
  }

  private giveUp(channel: string, error: RedisError): void {
    if (!this.waiting.get(channel)?.some(({ until }) => until !== Infinity)) return;
    const passes = this.seats.mayPass(channel, error);
    const now = performance.now();
    if (passes) setTimeout(() => this.giveUp(channel, error), this.patienceMs).unref();
    this.settle(
      channel,
      ({ until }) => until <= now || (until !== Infinity && !passes),
      ({ listener, reject }) => {
        this.unsubscribe(channel, listener);
        reject(error);
      },
    );
  }

  /** Ends the wait of some callers for a channel. */
  private settle(
    channel: string,
    which: (waiting: WaitingListener) => boolean,
    end: (waiting: WaitingListener) => void,
  ): void {
    const all = this.waiting.get(channel);
    if (!all) return;
    const rest = all.filter((waiting) => !which(waiting));
    if (rest.length > 0) this.waiting.set(channel, rest);
    else this.waiting.delete(channel);
    for (const waiting of all) if (which(waiting)) end(waiting);
  }

  /** Reports a confirmed channel, together with others that are confirmed at about the same time. */
  private tellLater(channel: string): void {
    if (this.heardAgain.add(channel).size > 1) return;
    setImmediate(() => {
      const channels = this.heardAgain;
      this.heardAgain = new Set();
      callAll(this.callbacks, channels, this.logger);
      const early = this.early.splice(0);
      for (const [channel, message] of early) this.deliver(channel, message);
    });
  }
}
