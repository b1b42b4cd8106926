import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { within } from '../waiting/deadline.js';

const MAX_LINES = 5_000;

interface LineWaiter {
  offer(line: string): void;
  fail(why: string): void;
}

/** A process's output, line by line: the newest 5,000 lines of both its streams, in the order of arrival. */
export class OutputLog {
  private readonly kept: string[] = [];
  private readonly waiters = new Set<LineWaiter>();
  private hasEnded = false;

  /** Resolves when all streams have ended, so that no line can follow. */
  readonly ended: Promise<void>;

  constructor(streams: readonly Readable[]) {
    this.ended = Promise.all(streams.map((stream) => this.read(stream))).then(() => {
      this.hasEnded = true;
      for (const waiter of this.waiters) waiter.fail('the output ended');
    });
  }

  /** The lines so far; the array grows. */
  get lines(): readonly string[] {
    return this.kept;
  }

  /** The newest lines as text for an error message. */
  tail(count = 50): string {
    return this.kept.length === 0 ? '(no output)' : this.kept.slice(-count).join('\n');
  }

  /**
   * Finds the first line that matches, among those already here or still to come.
   *
   * @param withinMs milliseconds
   * @throws Error with the output when the time is over or the output ends first
   */
  async waitFor(pattern: RegExp, withinMs: number): Promise<RegExpMatchArray> {
    const found = this.kept.map((line) => line.match(pattern)).find((match) => match !== null);
    if (found) return found;
    const explain = (why: string) => new Error(`no line matched ${pattern}: ${why}\n${this.tail()}`);
    if (this.hasEnded) throw explain('the output ended');
    return this.nextMatch(pattern, explain, withinMs);
  }

  private async nextMatch(
    pattern: RegExp,
    explain: (why: string) => Error,
    withinMs: number,
  ): Promise<RegExpMatchArray> {
    let waiter: LineWaiter | undefined;
    const match = new Promise<RegExpMatchArray>((resolve, reject) => {
      const offer = (line: string) => {
        const matched = line.match(pattern);
        if (matched) resolve(matched);
      };
      waiter = { offer, fail: (why) => reject(explain(why)) };
      this.waiters.add(waiter);
    });
    try {
      return await within(match, withinMs, () => explain(`waited ${withinMs} ms`));
    } finally {
      if (waiter) this.waiters.delete(waiter);
    }
  }

  private read(stream: Readable): Promise<void> {
    const lines = createInterface({ input: stream, crlfDelay: Infinity });
    lines.on('line', (line) => {
      this.kept.push(line);
      if (this.kept.length > MAX_LINES) this.kept.shift();
      for (const waiter of this.waiters) waiter.offer(line);
    });
    return new Promise((resolve) => lines.once('close', resolve));
  }
}
