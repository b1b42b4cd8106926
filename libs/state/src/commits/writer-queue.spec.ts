import { describe, expect, it } from '@jest/globals';
import type { Committed, Judged } from '../store/room-store.js';
import { WriterQueue } from './writer-queue.js';
import { encodeWriterCall } from '../store/writer-call.js';

const at = (seq: number) => ({ epoch: '5.abc', seq });
const lost = (seq: number, ahead?: number): Judged => ({
  status: 'judged',
  position: at(seq),
  verdicts: [],
  conflict: true,
  replicationId: 'r',
  documents: new Map(),
  ...(ahead !== undefined && { ahead }),
});
const won = (seq: number, ahead: number): Committed => ({
  status: 'committed',
  position: at(seq),
  seqs: [seq],
  counters: [],
  ahead,
  replicationId: 'r',
});

/** A node in a queue, and what reaches the engine from it. */
async function listening(): Promise<{ queue: WriterQueue; call(seq: number): void; left(): number }> {
  let hear: (message: string) => void = () => undefined;
  let left = 0;
  const queue = new WriterQueue({
    channel: 'c',
    channels: {
      subscribe: async (_channel, listener) => void (hear = listener),
      unsubscribe: () => undefined,
    },
    leave: () => left++,
  });
  queue.begin();
  queue.lost(lost(1));
  await Promise.resolve();
  return { queue, call: (seq) => hear(encodeWriterCall(at(seq), new Map())), left: () => left };
}

describe('a node that writes a room which others write too', () => {
  it('goes ahead while nobody else writes, and when it lost as the first', async () => {
    const { queue } = await listening();
    expect([queue.hears, queue.waits]).toEqual([true, false]);
    queue.lost(lost(2, 0));
    expect(queue.waits).toBe(false);
    queue.won(won(3, 0), true);
    expect(queue.waits).toBe(false);
    queue.close();
    expect(queue.hears).toBe(false);
  });

  it('waits for its call where others are before it, whether it lost or has written', async () => {
    const { queue, call } = await listening();
    queue.lost(lost(2, 3));
    expect(queue.waits).toBe(true);
    const first = queue.call();
    call(4);
    expect([(await first)?.position.seq, queue.waits]).toEqual([4, false]);
    queue.won(won(5, 3), true);
    expect(queue.waits).toBe(true);
    const second = queue.call();
    call(8);
    expect((await second)?.position.seq).toBe(8);
    queue.close();
  });

  it('takes a call that overtook the answer before it, and none that is older', async () => {
    const { queue, call } = await listening();
    call(7);
    queue.won(won(6, 1), true);
    expect((await queue.call())?.position.seq).toBe(7);
    call(8);
    queue.won(won(9, 1), true);
    expect(await queue.call()).toBeUndefined();
    queue.close();
  });

  it('goes ahead after 50 ms without a call, and then does not wait again until it has written', async () => {
    const { queue } = await listening();
    queue.lost(lost(2, 1));
    expect(await queue.call()).toBeUndefined();
    queue.lost(lost(3, 2));
    expect(queue.waits).toBe(false);
    queue.won(won(4, 1), true);
    expect(queue.waits).toBe(true);
    queue.close();
  });

  it('passes a call on that comes when it has nothing to write, and one that it did not use', async () => {
    const { queue, call, left } = await listening();
    queue.rest();
    expect(left()).toBe(0);
    call(2);
    expect(left()).toBe(1);
    queue.begin();
    queue.lost(lost(3, 0));
    queue.rest();
    expect(left()).toBe(2);
    queue.begin();
    queue.won(won(4, 1), true);
    queue.rest();
    expect(left()).toBe(2);
    queue.close();
  });
});
