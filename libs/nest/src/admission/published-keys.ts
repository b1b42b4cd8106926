import { setTimeout as delay } from 'node:timers/promises';
import { settledWithin } from '@wss/protocol';
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';

/** Shortest time from the begin of a fetch to that of the next, ms. */
const FETCH_EVERY_MS = 5_000;

/** Longest time for a fetch, ms: with the wait before it, it stays within a handshake of the default time. */
const FETCH_MS = 4_000;

/** Keys of this age are fetched again beside the tokens that come, ms. */
const FRESH_MS = 300_000;

/** How long the last good keys count while no newer ones can be had, ms. */
const KEPT_MS = 3_600_000;

/** Most tokens that wait for a fetch at a time. */
const MOST_WAITING = 100;

/** Largest answer of a key server, bytes, and most keys in it. */
const MOST_BYTES = 1_048_576;
const MOST_KEYS = 1_000;

/** Hears if keys can be had. */
export interface KeyObserver {
  /** @param why text that holds nothing of the answer */
  failed(why: string): void;
  fetched(): void;
}

/** Finds the key of a token in a set. */
export type LocalKeys = ReturnType<typeof createLocalJWKSet>;

/** Tokens can't be verified now, whatever they are. */
export class KeysUnavailable extends Error {
  readonly retryAfterS = FETCH_EVERY_MS / 1_000;
}

/** A key set, and when its fetch began and ended, ms on this process' steady clock. */
interface KeySet {
  readonly keys: LocalKeys;
  readonly askedAt: number;
  readonly gotAt: number;
}

/**
 * Keys that a server publishes (JWKS), for all tokens of this node: fetched at most once in 5 s, whether that
 * succeeds or not.
 */
export class PublishedKeys {
  private set?: KeySet;
  /** The fetch that runs, or waits until it may begin. */
  private next?: Promise<void>;
  private askedAt = -Infinity;
  private failing = false;
  private isFetching = false;
  private waiting = 0;
  private readonly closed = new AbortController();

  constructor(
    private readonly url: string,
    private readonly observer: KeyObserver,
    /** How long a token may wait for keys, ms. */
    private readonly withinMs = FETCH_EVERY_MS + FETCH_MS,
  ) {}

  /**
   * Does something with the keys: with those at hand first, and where it fails for want of a key with keys that were fetched
   * after the call.
   * @param lacksKey true for an error that newer keys may mend
   * @throws KeysUnavailable; else what `work` throws with such keys
   */
  async use<T>(work: (keys: LocalKeys) => Promise<T>, lacksKey: (error: unknown) => boolean): Promise<T> {
    const arrivedAt = performance.now();
    const until = arrivedAt + this.withinMs;
    let set = await this.current(until);
    for (;;) {
      try {
        return await work(set.keys);
      } catch (error) {
        if (!lacksKey(error) || set.askedAt >= arrivedAt) throw error;
        set = await this.fetched(until);
      }
    }
  }

  /** Ends a wait for the next fetch. */
  close(): void {
    this.closed.abort(new Error('the node stops'));
  }

  /** The keys at hand while they count, else those of the next fetch. */
  private async current(until: number): Promise<KeySet> {
    const { set } = this;
    const age = set ? performance.now() - set.gotAt : Infinity;
    if (age > FRESH_MS) {
      // A server that has failed just now is not waited for while there are keys that count.
      if (age > 2 * FRESH_MS && !(this.failing && age <= KEPT_MS)) return this.newest(age, until);
      void this.begin();
    }
    return set!;
  }

  private async newest(age: number, until: number): Promise<KeySet> {
    try {
      return await this.fetched(until);
    } catch (error) {
      if (age <= KEPT_MS) return this.set!;
      throw error;
    }
  }

  /**
   * The keys of the next fetch.
   * @throws KeysUnavailable, at once where they would come too late; they are fetched all the same
   */
  private async fetched(until: number): Promise<KeySet> {
    if (this.waiting >= MOST_WAITING) throw new KeysUnavailable('too many tokens wait for keys');
    this.waiting++;
    try {
      const next = this.begin();
      const isLate = !this.isFetching && this.nextAt > until;
      if (isLate || !(await settledWithin(next, until - performance.now())))
        throw new KeysUnavailable('the keys come too late for the handshake');
      await next;
    } finally {
      this.waiting--;
    }
    return this.set!;
  }

  private begin(): Promise<void> {
    if (!this.next) {
      this.next = this.fetchWhenAllowed().finally(() => delete this.next);
      // Those who wait for it may have given up.
      this.next.catch(() => undefined);
    }
    return this.next;
  }

  private async fetchWhenAllowed(): Promise<void> {
    await this.pause(this.nextAt - performance.now());
    const askedAt = (this.askedAt = performance.now());
    this.isFetching = true;
    try {
      const keys = createLocalJWKSet(await this.fetch());
      this.set = { keys, askedAt, gotAt: performance.now() };
    } catch (error) {
      this.failing = true;
      this.observer.failed(reasonOf(error));
      throw new KeysUnavailable("the keys can't be fetched");
    } finally {
      this.isFetching = false;
    }
    this.failing = false;
    this.observer.fetched();
  }

  /** When the next fetch may begin. */
  private get nextAt(): number {
    return this.askedAt + FETCH_EVERY_MS;
  }

  private async pause(ms: number): Promise<void> {
    const { signal } = this.closed;
    if (ms > 0) await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) throw new KeysUnavailable('the node stops');
  }

  /** Fetches in time. Node 20 may collect the joint of a time-out and another signal, and then it never ends. */
  private async fetch(): Promise<JSONWebKeySet> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(new Error('it did not answer in time')), FETCH_MS);
    const close = (): void => over.abort(this.closed.signal.reason);
    this.closed.signal.addEventListener('abort', close);
    try {
      return await this.answer(over.signal);
    } finally {
      clearTimeout(timer);
      this.closed.signal.removeEventListener('abort', close);
    }
  }

  private async answer(signal: AbortSignal): Promise<JSONWebKeySet> {
    const headers = { Accept: 'application/json, application/jwk-set+json' };
    const response = await fetch(this.url, { signal, headers, redirect: 'manual' });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the key server answered ${response.status}`);
    }
    const set = parsed(await textOf(response));
    const count = Array.isArray(set?.keys) ? set.keys.length : 0;
    if (count === 0 || count > MOST_KEYS)
      throw new Error('the key server answered no set of 1 to 1,000 keys');
    return set as JSONWebKeySet;
  }
}

/** @throws Error when an answer is too large */
async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > MOST_BYTES) throw new Error(`the key server answered more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parsed(text: string): Partial<JSONWebKeySet> | null {
  try {
    return JSON.parse(text) as Partial<JSONWebKeySet> | null;
  } catch {
    throw new Error('the key server answered no JSON');
  }
}

/** The reason of a failed fetch; the platform hides it in a cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
