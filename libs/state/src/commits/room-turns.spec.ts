import { describe, expect, it } from '@jest/globals';
import type { Committed, Judged } from '../store/room-store.js';
import { RoomTurns } from './room-turns.js';
import { encodeTurn } from '../store/turn-format.js';

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

/** A node's turns, and what reaches the engine from them. */
async function listening(): Promise<{ turns: RoomTurns; call(seq: number): void; passed(): number }> {
  let hear: (message: string) => void = () => undefined;
  let passed = 0;
  const turns = new RoomTurns({
    channel: 'c',
    channels: {
      subscribe: async (_channel, listener) => void (hear = listener),
      unsubscribe: () => undefined,
    },
    pass: () => passed++,
  });
  turns.begin();
  turns.lost(lost(1));
  await Promise.resolve();
  return { turns, call: (seq) => hear(encodeTurn(at(seq), new Map())), passed: () => passed };
}

describe('a node that writes a room which others write too', () => {
  it('goes ahead while nobody else writes, and when it lost as the first', async () => {
    const { turns } = await listening();
    expect([turns.hears, turns.waits]).toEqual([true, false]);
    turns.lost(lost(2, 0));
    expect(turns.waits).toBe(false);
    turns.won(won(3, 0), true);
    expect(turns.waits).toBe(false);
    turns.close();
    expect(turns.hears).toBe(false);
  });

  it('waits for its call where others are before it, whether it lost or has written', async () => {
    const { turns, call } = await listening();
    turns.lost(lost(2, 3));
    expect(turns.waits).toBe(true);
    const first = turns.turn();
    call(4);
    expect([(await first)?.position.seq, turns.waits]).toEqual([4, false]);
    turns.won(won(5, 3), true);
    expect(turns.waits).toBe(true);
    const second = turns.turn();
    call(8);
    expect((await second)?.position.seq).toBe(8);
    turns.close();
  });

  it('takes a call that overtook the answer before it, and none that is older', async () => {
    const { turns, call } = await listening();
    call(7);
    turns.won(won(6, 1), true);
    expect((await turns.turn())?.position.seq).toBe(7);
    call(8);
    turns.won(won(9, 1), true);
    expect(await turns.turn()).toBeUndefined();
    turns.close();
  });

  it('goes ahead after 50 ms without a call, and then does not wait again until it has written', async () => {
    const { turns } = await listening();
    turns.lost(lost(2, 1));
    expect(await turns.turn()).toBeUndefined();
    turns.lost(lost(3, 2));
    expect(turns.waits).toBe(false);
    turns.won(won(4, 1), true);
    expect(turns.waits).toBe(true);
    turns.close();
  });

  it('passes a turn on that comes when it has nothing to write, and one that it did not use', async () => {
    const { turns, call, passed } = await listening();
    turns.rest();
    expect(passed()).toBe(0);
    call(2);
    expect(passed()).toBe(1);
    turns.begin();
    turns.lost(lost(3, 0));
    turns.rest();
    expect(passed()).toBe(2);
    turns.begin();
    turns.won(won(4, 1), true);
    turns.rest();
    expect(passed()).toBe(2);
    turns.close();
  });
});
