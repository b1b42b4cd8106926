import { describe, expect, it } from '@jest/globals';
import { Slots } from './slots.js';

describe('Slots', () => {
  it('runs no more than it may, in the order asked, also after failures', async () => {
    const slots = new Slots(2);
    const started: number[] = [];
    const ends: (() => void)[] = [];
    const works = Array.from({ length: 5 }, (_, i) =>
      slots.run(async () => {
        started.push(i);
        await new Promise<void>((resolve) => ends.push(resolve));
        if (i === 0) throw new Error('failed');
        return i;
      }),
    );
    const outcomes = Promise.allSettled(works);
    expect(started).toEqual([0, 1]);
    ends[0]!();
    await expect(works[0]).rejects.toThrow('failed');
    expect(started).toEqual([0, 1, 2]);
    for (let i = 1; i < 5; i++) {
      ends[i]!();
      await works[i];
    }
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', ...Array(4).fill('fulfilled')]);
    expect(started).toEqual([0, 1, 2, 3, 4]);
  });
});
