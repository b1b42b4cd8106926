import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Standstill } from './standstill.js';

/** Stops this thread. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
}

it('holds until what was missed has been heard, each time that the process stood still', async () => {
  const ends: (() => void)[] = [];
  const still = new Standstill(() => new Promise<void>((resolve) => ends.push(resolve)));
  expect(still.behind).toBeUndefined();
  standStill();
  const first = still.behind;
  expect(first).toBeDefined();
  expect(still.behind).toBe(first);
  standStill();
  const second = still.behind;
  expect(second).not.toBe(first);
  ends[0]!();
  await first;
  // Messages from before the second time may not have been heard.
  expect(still.behind).toBe(second);
  ends[1]!();
  await second;
  expect(still.behind).toBeUndefined();
  expect(ends).toHaveLength(2);
  still.close();
});

it('waits for links that bring nothing no longer than they may be down unnoticed', async () => {
  let isGivenUp!: Promise<unknown>;
  const still = new Standstill((givenUp) => {
    isGivenUp = once(givenUp, 'abort');
    return new Promise(() => undefined);
  });
  standStill();
  await still.behind;
  await isGivenUp;
  expect(still.behind).toBeUndefined();
  still.close();
});
