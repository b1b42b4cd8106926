import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GrowingPause } from './growing-pause.js';
import { LogGate, stackOf } from './log-gate.js';

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

describe('a thrown value in the log', () => {
  it('shows an error with its stack, and so each of its causes', () => {
    const root = new RangeError('the root');
    const text = stackOf(new TypeError('outer', { cause: new Error('between', { cause: root }) }));
    expect(text).toMatch(/^TypeError: outer\n {4}at /);
    expect(text).toContain('\ncaused by Error: between\n    at ');
    expect(text.endsWith(`\ncaused by ${root.stack}`)).toBe(true);
  });

  it('ends where causes go round', () => {
    const error = new Error('it is its own cause');
    error.cause = error;
    expect(stackOf(error).length).toBeLessThan(100 * error.stack!.length);
  });

  it('shows the fields of an object that is not an error, and other values as text', () => {
    expect(stackOf({ code: 'full', seats: 4 })).toBe('{"code":"full","seats":4}');
    expect(stackOf({ seats: 4n })).toBe('[object Object]');
    expect([stackOf('no'), stackOf(undefined), stackOf(null)]).toEqual(['no', 'undefined', 'null']);
  });
});
