import type { ErrorBody } from '@wss/protocol';
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
 * A promise that also ends by time, by a signal, or from outside.
 * @internal
 */
export class Pending<T = unknown> {
  readonly promise: Promise<T>;
  settled = false;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor({ timeoutMs = 30_000, signal }: CommandOptions) {
    this.promise = new Promise<T>((resolve, reject) => {
      const settle = (how: () => void): void => {
        this.settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        how();
      };
      this.resolve = (value) => settle(() => resolve(value));
      this.reject = (error) => settle(() => reject(error));
      const abort = (): void => this.reject(signal!.reason);
      const timer = setTimeout(
        () => this.reject(new WssError('timeout', `no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort);
    });
  }
}

/** What a command takes, as it was when it was given. */
export interface Snapshot {
  readonly data: unknown;
  /** Length as JSON, characters. */
  readonly length: number;
}

/** Bytes of a frame that are not data, at most. */
const ENVELOPE = 1_024;

/**
 * Takes a copy: a command is sent again as it was, whatever happens to its data meanwhile.
 * @throws WssError `too_large`: a frame that is too large would end the connection
 */
export function snapshot(data: unknown, maxFrameBytes: number): Snapshot {
  const json = JSON.stringify(data ?? {});
  if (new TextEncoder().encode(json).length > maxFrameBytes - ENVELOPE) {
    throw new WssError('too_large', `no frame of ${maxFrameBytes} bytes can carry this data`);
  }
  return { data: JSON.parse(json), length: json.length };
}

/** The reply's data, or its error thrown. */
export function dataOf({ data, error }: Reply): unknown {
  if (error) throw fromBody(error);
  return data ?? null;
}
