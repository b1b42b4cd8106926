import { within } from '../waiting/deadline.js';
import type { ServerFrame } from './server-frame.js';

/** Chooses frames. */
export type FrameFilter = (frame: ServerFrame) => boolean;

/** A wait for a frame. */
export interface FrameWait<T> {
  /** In words, for the error. */
  readonly what: string;
  readonly matches: FrameFilter;
  /** Makes the result, in the very moment in which the frame is taken. */
  readonly result: (frame: ServerFrame) => T;
  /** Milliseconds. */
  readonly withinMs: number;
}

interface FrameWaiter {
  readonly matches: FrameFilter;
  take(frame: ServerFrame): void;
  fail(why: string): void;
}

const SHOWN_FRAMES = 10;
const SHOWN_CHARACTERS = 300;

/** Frames in the order of their arrival; each is taken once, and none is missed between two waits. */
export class FrameQueue {
  /** All frames so far, taken or not. */
  readonly all: ServerFrame[] = [];
  private readonly untaken: ServerFrame[] = [];
  private readonly waiters: FrameWaiter[] = [];
  private ended?: string;

  /** Gives the frame to the first one waiting that it matches, else keeps it. */
  push(frame: ServerFrame): void {
    this.all.push(frame);
    const index = this.waiters.findIndex((waiter) => waiter.matches(frame));
    if (index < 0) this.untaken.push(frame);
    else this.waiters.splice(index, 1)[0]!.take(frame);
  }

  /**
   * Ends the queue because no frame can follow: present waits fail at once, and so do later ones without a matching
   * frame.
   */
  end(why: string): void {
    this.ended ??= why;
    for (const waiter of this.waiters.splice(0)) waiter.fail(this.ended);
  }

  /** Frames may follow again. */
  reopen(): void {
    this.ended = undefined;
  }

  /** Takes all frames that were not taken yet. */
  takeAll(): ServerFrame[] {
    return this.untaken.splice(0);
  }

  /**
   * Takes the first matching frame, among those already here or still to come.
   * @throws Error with the received frames when the time is over or no frame can follow
   */
  async take(wait: Omit<FrameWait<ServerFrame>, 'result'>): Promise<ServerFrame> {
    const index = this.untaken.findIndex(wait.matches);
    if (index >= 0) return this.untaken.splice(index, 1)[0]!;
    return this.next({ ...wait, result: (frame) => frame }, 'after others');
  }

  /**
   * Takes the first matching frame and all earlier ones that were not taken yet, and returns the earlier ones. Throws
   * like `take`.
   */
  async takeBefore(wait: Omit<FrameWait<unknown>, 'result'>): Promise<ServerFrame[]> {
    const index = this.untaken.findIndex(wait.matches);
    if (index >= 0) return this.untaken.splice(0, index + 1).slice(0, index);
    return this.next({ ...wait, result: () => this.takeAll() }, 'after others');
  }

  /** Waits for a frame that has yet to come. A wait `before others` gets it even if these would take any. */
  async next<T>(wait: FrameWait<T>, order: 'before others' | 'after others'): Promise<T> {
    const explain = (why: string) => new Error(`${wait.what} did not come: ${why}; ${this.describe()}`);
    if (this.ended !== undefined) throw explain(this.ended);
    let waiter: FrameWaiter | undefined;
    const frame = new Promise<T>((resolve, reject) => {
      const fail = (why: string) => reject(explain(why));
      waiter = { matches: wait.matches, take: (taken) => resolve(wait.result(taken)), fail };
      if (order === 'before others') this.waiters.unshift(waiter);
      else this.waiters.push(waiter);
    });
    try {
      return await within(frame, wait.withinMs, () => explain(`waited ${wait.withinMs} ms`));
    } finally {
      const index = this.waiters.indexOf(waiter!);
      if (index >= 0) this.waiters.splice(index, 1);
    }
  }

  private describe(): string {
    if (this.all.length === 0) return 'nothing was received';
    const shown = this.all
      .slice(-SHOWN_FRAMES)
      .map((frame) => JSON.stringify(frame).slice(0, SHOWN_CHARACTERS));
    return `${this.all.length} frames were received, the last of them:\n${shown.join('\n')}`;
  }
}
