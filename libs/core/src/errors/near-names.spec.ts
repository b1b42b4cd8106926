import { describe, expect, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { nearNames } from './near-names.js';

const DECLARED = ['chat.send', 'chat.typing', 'counter.add', 'counter.read', 'board.add', '$join', '$leave'];

describe('near names', () => {
  it.each([
    ['chat.snd', ['chat.send']],
    ['chatSend', ['chat.send']],
    ['chat:sned', ['chat.send']],
    ['CHAT_SEND', ['chat.send']],
    ['$joni', ['$join']],
    ['counter.ad', ['counter.add']],
    ['nothing.like.it', []],
    ['', []],
  ])('%s: %j', (name, near) => {
    expect(nearNames(name, DECLARED)).toEqual(near);
  });

  it('finds a declared name behind any one slip, and never returns anything else', () => {
    const random = new Random(newSeed());
    for (let i = 0; i < 2_000; i++) {
      const name = random.pick(DECLARED);
      const at = random.below(name.length);
      const slip = random.pick([
        name.slice(0, at) + name.slice(at + 1),
        name.slice(0, at) + 'x' + name.slice(at),
        name.slice(0, at) + 'x' + name.slice(at + 1),
        name.slice(0, at) +
          name
            .slice(at, at + 2)
            .split('')
            .reverse()
            .join('') +
          name.slice(at + 2),
      ]);
      const near = nearNames(slip, DECLARED);
      expect({ seed: random.seed, slip, near }).toEqual({
        seed: random.seed,
        slip,
        near: expect.arrayContaining([name]),
      });
      expect(near.filter((each) => !DECLARED.includes(each))).toEqual([]);
    }
  });

  it('costs little for a hostile name, and among many declared ones', () => {
    expect(nearNames('x'.repeat(65_536), DECLARED)).toEqual([]);
    let asked = 0;
    function* many(): Generator<string> {
      for (; ; asked++) yield 'y'.repeat(65_536);
    }
    expect(nearNames('z'.repeat(128), many())).toEqual([]);
    expect(asked).toBe(1_000);
  });
});
