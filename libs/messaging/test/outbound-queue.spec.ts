import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Flusher } from '../src/socket/flusher.js';
import { OutboundQueue, type QueueObserver } from '../src/socket/outbound-queue.js';
import { SharedFrames } from '../src/socket/shared-frames.js';
import { Line } from './fanout/line.js';

/** Records the calls of a queue. */
class Told implements QueueObserver {
  readonly calls: string[] = [];
  error: unknown;

  overflowed(): void {
    this.calls.push('overflowed');
  }

  drained(): void {
    this.calls.push('drained');
  }

  failed(error: unknown): void {
    this.calls.push('failed');
    this.error = error;
  }
}

function sharedOf(...texts: string[]): SharedFrames {
  const frames = new SharedFrames({ room: 'log:1', after: { epoch: '1.x', seq: 0 } });
  for (const text of texts) frames.add(Buffer.from(text));
  return frames;
}

describe('shared frames', () => {
  it('R23: throw when they are added to after they were written', () => {
    const frames = sharedOf('a', 'b');
    expect(frames.open).toBe(true);
    expect(frames.buffer.toString()).toBe('ab');
    expect(frames.open).toBe(false);
    expect(() => frames.add(Buffer.from('c'))).toThrow('after they had been written');
  });

  it('can be counted without being written', () => {
    const flusher = new Flusher();
    const queue = new OutboundQueue(new Line(), flusher, new Told());
    const frames = sharedOf('a');
    queue.push(frames);
    expect(queue.queuedBytes).toBe(1);
    expect(frames.open).toBe(true);
  });
});

describe('an outbound queue', () => {
  const opened = (): { line: Line; told: Told; queue: OutboundQueue } => {
    const [line, told] = [new Line(), new Told()];
    return { line, told, queue: new OutboundQueue(line, flusher, told) };
  };
  const flusher = new Flusher();
  const textOf = ({ received }: Line): string => Buffer.concat(received).toString();

  it('R23: that fails does not keep the others from being written', async () => {
    const [broken, other] = [opened(), opened()];
    broken.line.write = () => {
      throw new RangeError('a bug');
    };
    const frames = sharedOf('a');
    for (const { queue } of [broken, other]) queue.push(frames);
    await nextTurn();
    expect(broken.told.error).toBeInstanceOf(RangeError);
    expect(textOf(other.line)).toBe('a');
  });

  it('keeps what the socket does not take, so that replies overtake it and it can be dropped', async () => {
    const { line, told, queue } = opened();
    line.block();
    for (let count = 0; count < 20; count++) queue.push(sharedOf(String(count % 10).repeat(100_000)));
    await nextTurn();
    expect(line.writableLength).toBeLessThan(512_000);
    expect(told.calls).toEqual(['overflowed']);
    expect(queue.drop(() => true).length).toBeGreaterThan(14);
    queue.push(sharedOf('event'));
    queue.pushUrgent(Buffer.from('reply'));
    line.open();
    await nextTurn();
    await nextTurn();
    expect(textOf(line)).toMatch(/^0+1+2+replyevent$/);
    expect(told.calls).toEqual(['overflowed', 'drained']);
  });

  it('is not too slow for a burst that its socket takes', async () => {
    const { line, told, queue } = opened();
    for (let count = 0; count < 50; count++) queue.push(sharedOf('x'.repeat(100_000)));
    await nextTurn();
    expect(textOf(line)).toHaveLength(5_000_000);
    expect(told.calls).toEqual([]);
  });

  it('tells once that all has been written, and drops nothing that is to be kept', async () => {
    const { line, told, queue } = opened();
    line.block();
    queue.push(sharedOf('x'.repeat(300_000)));
    await nextTurn();
    queue.push(sharedOf('old'));
    queue.keep('log:1');
    queue.push(sharedOf('new'));
    expect(queue.drop(() => true)).toHaveLength(1);
    queue.notifyWhenWritten();
    line.open();
    await nextTurn();
    await nextTurn();
    expect(textOf(line)).toMatch(/^x+old$/);
    expect(told.calls).toContain('drained');
  });

  it('R39: writes nothing to a socket that drains before the node knows who was put out while it stood still', async () => {
    const [line, told] = [new Line(), new Told()];
    let over!: () => void;
    let behind: Promise<void> | undefined;
    const hearing = {
      get behind() {
        return behind;
      },
    };
    const queue = new OutboundQueue(line, new Flusher(hearing), told);
    line.block();
    queue.push(sharedOf('x'.repeat(300_000)));
    await nextTurn();
    queue.push(sharedOf('for a user who was put out'));
    await nextTurn();
    behind = new Promise((resolve) => (over = resolve));
    line.open();
    await nextTurn();
    await nextTurn();
    expect(textOf(line)).toMatch(/^x+$/);
    queue.drop(() => true);
    queue.push(sharedOf('later'));
    behind = undefined;
    over();
    await nextTurn();
    await nextTurn();
    expect(textOf(line)).toMatch(/^x+later$/);
    expect(told.calls).toEqual(['drained']);
  });
});
