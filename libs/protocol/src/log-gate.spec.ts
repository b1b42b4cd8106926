import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GrowingPause } from './growing-pause.js';
import { LogGate } from './log-gate.js';

describe('the gate of log lines', () => {
  let lines: string[];
  let gate: LogGate;
  beforeEach(() => {
    jest.useFakeTimers();
    lines = [];
    gate = new LogGate((line) => lines.push(line), 1_000);
  });
  afterEach(() => void jest.useRealTimers());

  it('writes the first at once, then one line a period with the count, until a period without it', () => {
    for (let i = 0; i < 100; i++) gate.report('engine', `out of reach ${i}`);
    expect(lines).toEqual(['out of reach 0']);
    jest.advanceTimersByTime(1_000);
    expect(lines.slice(1)).toEqual(['out of reach 99 (and 99 more times like this)']);
    jest.advanceTimersByTime(5_000);
    expect(lines).toHaveLength(2);
    gate.report('engine', 'again');
    expect(lines).toHaveLength(3);
  });

  it('keeps kinds apart, and tells what is left when one is over', () => {
    gate.report('a', 'a');
    gate.report('b', 'b');
    gate.report('a', 'a');
    gate.over('a');
    gate.over('b');
    gate.report('a', 'a once more');
    expect(lines).toEqual(['a', 'b', 'a (and 1 more times like this)', 'a once more']);
  });

  it('remembers a bounded number of kinds', () => {
    for (let i = 0; i < 1_000; i++) gate.report(`kind ${i}`, 'line');
    expect(lines).toHaveLength(101);
  });
});

it('pauses grow to their bound, and begin anew after a success', () => {
  const pause = new GrowingPause({ firstMs: 50, mostMs: 5_000 });
  for (let i = 0; i < 100; i++) {
    const longest = Math.min(5_000, 50 * 2 ** i);
    const ms = pause.next();
    expect(ms).toBeLessThanOrEqual(longest);
    expect(ms).toBeGreaterThanOrEqual(longest / 2);
  }
  pause.reset();
  expect(pause.next()).toBeLessThanOrEqual(50);
});
