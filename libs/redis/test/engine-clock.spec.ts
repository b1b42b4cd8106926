import { describe, expect, it } from '@jest/globals';
import { type ClockStep, EngineClock } from '../src/index.js';

const START = 1_700_000_000_000;

describe('the clocks of Redis (R30)', () => {
  /** Reads a server's clock that is off by `offMs`, `at` ms of steady time, with an answer that took `tookMs`. */
  const read = (clock: EngineClock, server: string, at: number, offMs = 0, tookMs = 2): void =>
    clock.saw(server, { sentAt: at, answeredAt: at + tookMs, time: START + at + offMs });
  const watched = (): { clock: EngineClock; seen: ClockStep[] } => {
    const clock = new EngineClock();
    const seen: ClockStep[] = [];
    clock.onStep((step) => seen.push(step));
    return { clock, seen };
  };

  it('are quiet while they run as ours does, however long an answer takes', () => {
    const { clock, seen } = watched();
    for (let at = 0; at < 100_000; at += 2_000) read(clock, 'a', at, 0, at % 4_000 === 0 ? 2 : 1_800);
    expect(seen).toEqual([]);
    expect(clock.notice()).toBeUndefined();
  });

  it.each([3_600_000, -3_600_000, 2_500])('that are set by %d ms are counted, told and shown', (byMs) => {
    const { clock, seen } = watched();
    read(clock, 'a', 0);
    read(clock, 'a', 2_000, byMs);
    read(clock, 'a', 4_000, byMs);
    expect(seen).toMatchObject([{ server: 'a', byMs }]);
    expect(clock.steps).toBe(1);
    expect(clock.notice()).toContain('was set by');
  });

  it('of several hosts may differ by 5 s, and are shown when they differ by more', () => {
    const { clock, seen } = watched();
    read(clock, 'a', 0);
    read(clock, 'b', 0, 4_000);
    expect([clock.spreadMs, clock.notice()]).toEqual([4_000, undefined]);
    read(clock, 'c', 0, -2_000);
    expect(clock.spreadMs).toBe(6_000);
    expect(clock.notice()).toContain('differ by 6.0 s');
    clock.forget('c');
    expect(clock.notice()).toBeUndefined();
    expect(seen).toEqual([]);
  });
});
