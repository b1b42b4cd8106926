import { expect, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { retryDelay } from './backoff.js';

it('spreads requests that the server refused together, and sends none earlier than it said', () => {
  const random = new Random(newSeed());
  for (let round = 0; round < 200; round++) {
    const retryInMs = random.below(10_000);
    const attempts = random.below(12) + 1;
    const details = [{ retryInMs }];
    const waits = Array.from({ length: 20 }, () => retryDelay(attempts, { details }));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(retryInMs);
    expect(Math.max(...waits)).toBeLessThanOrEqual(retryInMs + 3_200);
    expect(new Set(waits).size).toBeGreaterThan(1);
  }
});
