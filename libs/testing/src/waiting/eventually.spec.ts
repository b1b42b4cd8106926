import { expect, it } from '@jest/globals';
import { eventually } from './eventually.js';

const never = new Promise<never>(() => undefined);

it('repeats the assertion until it holds and returns its result', async () => {
  let attempts = 0;
  const result = await eventually(
    () => {
      expect(++attempts).toBeGreaterThan(3);
      return `after ${attempts}`;
    },
    { everyMs: 1 },
  );
  expect(result).toBe('after 4');
});

it('ends with the last failure when the time is over', async () => {
  const failing = eventually(() => Promise.reject(new Error('three of four')), { withinMs: 30, everyMs: 5 });
  await expect(failing).rejects.toThrow('not so within 30 ms: three of four');
});

it('is bounded even when the assertion never ends', async () => {
  await expect(eventually(() => never, { withinMs: 30 })).rejects.toThrow('no attempt ended');
});

it('ends with the last failure when the time cuts off an attempt', async () => {
  let attempts = 0;
  const failing = eventually(() => (++attempts < 3 ? Promise.reject(new Error('three of four')) : never), {
    withinMs: 60,
    everyMs: 1,
  });
  await expect(failing).rejects.toThrow('not so within 60 ms: three of four');
});

it('takes false for not holding, and tells so when the time is over', async () => {
  let attempts = 0;
  expect(await eventually(() => ++attempts === 3, { everyMs: 1 })).toBe(true);
  await expect(eventually(() => false, { withinMs: 30, everyMs: 5 })).rejects.toThrow('it is false');
});

it('counts no time in which this process stood still, and does not end right after it', async () => {
  let isSo = false;
  setTimeout(() => {
    const end = performance.now() + 1_200;
    while (performance.now() < end);
    setTimeout(() => (isSo = true), 30);
  }, 5);
  expect(await eventually(() => isSo, { withinMs: 1_000 })).toBe(true);
});

it('goes on for a while after several stalls have used up its time', async () => {
  let isSo = false;
  let stalls = 0;
  const stall = (): void => {
    // Each is counted as the 250 ms that tell a stall; what then goes on is far longer than a busy machine's own.
    const end = performance.now() + 260;
    while (performance.now() < end);
    if (++stalls < 8) setTimeout(stall, 1);
    else setTimeout(() => (isSo = true), 30);
  };
  setTimeout(stall, 5);
  expect(await eventually(() => isSo, { withinMs: 2_000 })).toBe(true);
});

it('ends on a machine that never runs for long', async () => {
  const stalls = setInterval(() => {
    const end = performance.now() + 300;
    while (performance.now() < end);
  }, 1);
  const failing = eventually(() => false, { withinMs: 800 });
  await expect(failing)
    .rejects.toThrow('not so within 800 ms')
    .finally(() => clearInterval(stalls));
});
