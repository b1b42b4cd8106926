import type { ErrorBody } from '@wss/protocol';
import { WssError } from './errors.js';
import type { CommandOptions } from './types.js';

/** A reply as it comes over the wire. */
export interface Reply {
  readonly data?: unknown;
  readonly error?: ErrorBody;
  /** Set when the engine recorded the answer of a numbered command. */
  readonly seq?: number;
  readonly epoch?: string;
}

/** A promise that also ends by time, by a signal, or from outside. */
export class Pending<T = unknown> {
  readonly promise: Promise<T>;
  settled = false;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  private readonly timer: ReturnType<typeof setTimeout>;

  constructor({ timeoutMs = 30_000, signal }: CommandOptions) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = (value) => this.settle(() => resolve(value));
      this.reject = (error) => this.settle(() => reject(error));
    });
    this.timer = setTimeout(
      () => this.reject(new WssError('timeout', `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal?.aborted) this.reject(signal.reason);
    signal?.addEventListener('abort', () => this.reject(signal.reason), { once: true });
  }

  private settle(how: () => void): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.timer);
    how();
  }
}

/** Matches replies with requests on one connection at a time. */
export class Requests {
  private next = 1;
  private readonly waiting = new Map<number, (reply: Reply | undefined) => void>();

  /** Makes the id of a request; `done` gets its reply, or nothing when the connection is lost first. */
  add(done: (reply: Reply | undefined) => void): number {
    const id = this.next++;
    this.waiting.set(id, done);
    return id;
  }

  answer(id: unknown, reply: Reply): void {
    const done = this.waiting.get(id as number);
    this.waiting.delete(id as number);
    done?.(reply);
  }

  /** The connection is gone, and with it every reply. */
  lost(): void {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const done of waiting) done(undefined);
  }
}
