import { expect, it } from '@jest/globals';
import { roleOf, timeOf } from './replies.js';

const STRANGE: readonly unknown[] = [
  null,
  undefined,
  7,
  '',
  'OK',
  'master',
  [],
  [[]],
  [null, 1],
  [1, 'x'],
  ['0', '0'],
  ['1', '2', '3'],
  {},
  new Error('x'),
];

it.each(STRANGE)('takes %j for no reply to TIME or ROLE', (reply) => {
  expect([timeOf(reply), roleOf(reply)]).toEqual([undefined, undefined]);
});

it('reads what Redis answers', () => {
  expect(timeOf(['1796207873', '598250'])).toBe(1_796_207_873_598.25);
  expect(roleOf(['master', 12, []])).toBe('master');
  expect(roleOf(['slave', '127.0.0.1', 6_379, 'connected', 12])).toBe('slave');
});
