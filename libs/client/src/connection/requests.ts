import type { ErrorBody } from '@wss/protocol';
import { now, Timer } from '../time/clock.js';
import { onAbort, type Unsubscribe } from '../values/emitter.js';
import { fromBody, WssError } from '../values/errors.js';
import type { CommandOptions } from '../values/types.js';

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
      let forget: Unsubscribe | undefined;
      const settle =
        <Value>(how: (value: Value) => void) =>
        (value: Value): void => {
          if (this.settled) return;
          this.sent();
          this.settled = true;
          timer.cancel();
          forget?.();
          how(value);
        };
      this.fulfil = settle(resolve);
      this.fail = settle(reject);
      if (timeoutMs < Infinity) timer.schedule(timeoutMs, () => this.fail(lateError(this.sentAt)));
      forget = onAbort(signal, () => this.fail(signal!.reason));
    });
  }

  /** From now on it may take effect; it does not wait to be sent any more. */
  sent(): void {
    if (this.sentAt) return;
    this.sentAt = now();
    this.backlog.unsent--;
  }
}

/**
 * A promise for all callers that wait for the next occurrence of something, however long that takes.
 * @internal
 */
export class NextTime<T = void> {
  /** Set while a caller waits. */
  pending?: Pending<T>;

  get promise(): Promise<T> {
    return (this.pending ??= new Pending<T>({ timeoutMs: Infinity })).promise;
  }

  fulfil(value: T): void {
    this.pending?.fulfil(value);
    delete this.pending;
  }

  fail(error: WssError): void {
    this.pending?.fail(error);
    delete this.pending;
  }
}

/** Time is over; only what was not sent has surely no effect. */
const lateError = (sentAt: number): WssError =>
  sentAt ? new WssError('timeout', 'no answer') : new WssError('not_sent', 'not sent', true);

/** @internal */
export const lostError = (): WssError => new WssError('disconnected', 'lost');

/** A command's data as it was when the command was given. */
export interface Snapshot {
  readonly data: unknown;
  /** Length as JSON, characters. */
  readonly length: number;
}

/** The bytes of a text on the wire. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** @internal */
interface Waiting {
  readonly answer: Pick<Pending, 'settled' | 'fail'>;
}

/**
 * Commands that wait to be sent, in order; those whose time is over are skipped, and not kept for long.
 * @internal
 */
export class Queue<Item extends Waiting> {
  private items: Item[] = [];

  constructor(private readonly backlog: Backlog) {}

  add(item: Item): void {
    if (this.items.push(item) > this.backlog.unsent) this.items = this.items.filter(isOpen);
  }

  get isEmpty(): boolean {
    return !this.items.some(isOpen);
  }

  take(): Item | undefined {
    for (let item; (item = this.items.shift());) if (isOpen(item)) return item;
    return undefined;
  }

  fail(error: WssError): void {
    for (const { answer } of this.items.splice(0)) answer.fail(error);
  }
}

const isOpen = ({ answer }: Waiting): boolean => !answer.settled;

/**
 * Takes a copy, so that a command is sent again as it was, even if its data changed meanwhile.
 * @throws WssError `invalid` when it can't be written as JSON, `too_large`
 */
export function snapshot(data: unknown, most: number): Snapshot {
  let json: string;
  let copy: unknown;
  try {
    json = JSON.stringify(data ?? {});
    copy = JSON.parse(json);
  } catch (error) {
    throw new WssError('invalid', `not JSON: ${(error as Error)?.message}`);
  }
  checkSize(json, most);
  return { data: copy, length: json.length };
}

/**
 * Checks a frame before it is sent: a frame that is too large would end the connection.
 * @throws WssError `too_large`
 */
export function checkSize(json: string, most: number): void {
  if (utf8(json).length > most) throw new WssError('too_large', `at most ${most} bytes`);
}

/** The reply's data, or its error thrown. */
export function dataOf({ data, error }: Reply): unknown {
  if (error) throw fromBody(error);
  return data ?? null;
}
