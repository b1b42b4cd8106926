import { describe, expect, it } from '@jest/globals';
import { Contention } from './contention.js';

describe('a node that writes a room which others write too', () => {
  let now = 0;
  const contention = (): Contention => new Contention(() => now);

  it('goes ahead while nobody loses', () => {
    const room = contention();
    room.won(0, 2);
    expect([room.pauseMs, room.takeStale()]).toEqual([0, false]);
  });

  it('tries again at once as the first loser, on the documents that came with the refusal', () => {
    const room = contention();
    room.lost(1);
    expect([room.pauseMs, room.takeStale()]).toEqual([0, false]);
  });

  it('lets those go first that lost before it, and reads what they wrote', () => {
    const [second, ninth] = [contention(), contention()];
    second.lost(2);
    ninth.lost(9);
    expect(second.pauseMs).toBeGreaterThan(0);
    expect(ninth.pauseMs).toBeGreaterThan(second.pauseMs);
    expect([ninth.takeStale(), ninth.takeStale()]).toEqual([true, false]);
  });

  it('lets all losers go after it has won, and waits no longer once its turn has come', () => {
    const room = contention();
    room.won(4, 1);
    const pause = room.pauseMs;
    expect(pause).toBeGreaterThan(2);
    now += pause;
    expect(room.pauseMs).toBe(0);
  });

  it('forgets the others when nobody loses any more, and never waits longer than 50 ms', () => {
    const room = contention();
    room.won(1_000, 100);
    expect(room.pauseMs).toBe(50);
    for (let i = 0; i < 40; i++) room.won(0, 1);
    now += 50;
    room.won(0, 1);
    expect(room.pauseMs).toBe(0);
  });
});
