import type { ErrorBody } from '@wss/protocol';
import { now, Timer } from './clock.js';
import { fromBody, WssError } from './errors.js';
import type { CommandOptions } from './types.js';

/** A reply as it comes over the wire. */
export interface Reply {
  readonly data?: unknown;
  readonly error?: ErrorBody;
  /** Set when the engine recorded the answer of a numbered command. */
  readonly seq?: number;
  readonly epoch?: string;
}

/**
 * How much waits to be sent.
 * @internal
 */
export interface Backlog {
  unsent: number;
}

/**
 * Waits as long as it takes.
 * @internal
 */
export const FOR_EVER: CommandOptions = { timeoutMs: Infinity };

/**
 * A promise that also ends by time, by a signal, or from outside.
 * @internal
 */
export class Pending<T = unknown> {
  readonly promise: Promise<T>;
  settled?: boolean;
  /** When it was first sent, on the steady clock; 0: not yet. */
  sentAt = 0;
  fulfil!: (value: T) => void;
  fail!: (error: unknown) => void;

  constructor(
    { timeoutMs = 30_000, signal }: CommandOptions,
    private readonly backlog: Backlog = { unsent: 0 },
  ) {
    backlog.unsent++;
    this.promise = new Promise<T>((resolve, reject) => {
      const timer = new Timer();
      const abort = (): void => this.fail(signal!.reason);
      const settle =
        <Value>(how: (value: Value) => void) =>
        (value: Value): void => {
          if (this.settled) return;
          this.sent();
          this.settled = true;
          timer.cancel();
          signal?.removeEventListener('abort', abort);
          how(value);
        };
      this.fulfil = settle(resolve);
      this.fail = settle(reject);
      if (timeoutMs < Infinity) timer.schedule(timeoutMs, () => this.expire());
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
    });
  }

  /** From now on it may take effect; it does not wait to be sent any more. */
  sent(): void {
    if (this.sentAt) return;
    this.sentAt = now();
    this.backlog.unsent--;
  }

  private expire(): void {
    this.fail(
      this.sentAt ? new WssError('timeout', 'no answer in time') : new WssError('not_sent', 'not sent', true),
    );
  }
}

/** @internal */
export const lostError = (): WssError => new WssError('disconnected', 'connection lost');

/** A command's data as it was when the command was given. */
export interface Snapshot {
  readonly data: unknown;
  /** Length as JSON, characters. */
  readonly length: number;
}

/** The bytes of a text on the wire. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * Adds to those that wait to be sent; those whose time was over meanwhile are not kept.
 * @internal
 */
export function enqueue<Item extends { readonly answer: Pick<Pending, 'settled'> }>(
  waiting: Item[],
  item: Item,
  { unsent }: Backlog,
): Item[] {
  return waiting.push(item) > unsent ? waiting.filter(({ answer }) => !answer.settled) : waiting;
}

/** Bytes of a frame that are not data, at most. */
const ENVELOPE = 1_024;

/**
 * Takes a copy: a command is sent again as it was, whatever happens to its data meanwhile.
 * @throws WssError `too_large`: a frame that is too large would end the connection
 */
export function snapshot(data: unknown, maxFrameBytes: number): Snapshot {
  const json = JSON.stringify(data ?? {});
  if (utf8(json).length > maxFrameBytes - ENVELOPE) {
    throw new WssError('too_large', `at most ${maxFrameBytes - ENVELOPE} bytes`);
  }
  return { data: JSON.parse(json), length: json.length };
}

/** The reply's data, or its error thrown. */
export function dataOf({ data, error }: Reply): unknown {
  if (error) throw fromBody(error);
  return data ?? null;
}
