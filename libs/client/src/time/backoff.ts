import type { ErrorBody } from '@wss/protocol';
import { now } from './clock.js';
import type { PageState } from './page.js';

/** How long to wait before the next attempt to connect. */
export interface BackoffOptions {
  /** Upper bound of the first wait, ms: 100 or more. Default 500. */
  readonly firstMs?: number;
  /** Upper bound of every wait, ms: 100 or more. Default 20,000. */
  readonly mostMs?: number;
  /** A connection that held this long starts the count anew, ms. Default 10,000. */
  readonly stableMs?: number;
}

/** Without any wait, attempts would keep page and server busy. */
const LEAST_MS = 100;
/** Advice up to this many ms does not keep a hidden page back: its browser would make far more of it. */
const SHORT_MS = 1_000;

/**
 * Exponential back-off with full jitter: every wait is drawn evenly from 0 to a bound that doubles.
 * @internal
 */
export class Backoff {
  /** The server asked us to stay away until then, on the steady clock; 0 if it did not. */
  notBefore = 0;
  private failures = 0;
  private advisedMs?: number;

  constructor(private readonly bounds: BackoffOptions) {}

  /** The server's own advice for the next wait, ms; it spreads its clients better than they can. */
  advise(ms?: number): void {
    if (ms! >= 0) this.advisedMs = ms;
  }

  /** How long to wait now, ms. Browsers throttle the timers of hidden pages, so these make their first attempt at once. */
  next({ isHidden, isOffline }: PageState, refusal: object | undefined): number {
    const { firstMs = 500, mostMs = 20_000 } = this.bounds;
    const { advisedMs, failures } = this;
    const least = advisedMs ?? 0;
    const bound = isOffline ? mostMs : Math.min(mostMs, firstMs * 2 ** failures);
    const jitter = Math.random() * (bound > LEAST_MS ? bound : LEAST_MS);
    this.failures++;
    delete this.advisedMs;
    if (isHidden && failures === 0 && least <= SHORT_MS) return 0;
    this.notBefore = now() + least;
    // A refusal gives the same advice to every refused client, so their attempts still have to be spread.
    return least + (advisedMs === undefined || refusal ? jitter : 0);
  }

  /** Tells how long the last connection held, ms. */
  held(ms: number): void {
    if (ms >= (this.bounds.stableMs ?? 10_000)) this.failures = 0;
  }
}

/**
 * How long to wait before a request is sent again, ms: as long as the server advises, and full jitter, because it gives
 * the same advice to many.
 * @internal
 */
export function retryDelay(attempts: number, error?: Pick<ErrorBody, 'details'>): number {
  return (error?.details?.[0]?.retryInMs ?? 0) + Math.random() * Math.min(3_200, 100 * 2 ** attempts);
}
