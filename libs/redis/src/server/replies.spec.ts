import { expect, it } from '@jest/globals';
import { isDigits, isDigitsOr, isListOf, isListOfAll, isNumber, isText, roleOf, timeOf } from './replies.js';

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

it('checks lists item by item', () => {
  const check = isListOf(isText, isDigits, isNumber, isDigitsOr('', null));
  expect([check(['', '0', -1, '']), check(['a', '18', 2, null]), check(['a', '18', 2, '3'])]).toEqual([
    true,
    true,
    true,
  ]);
  for (const reply of [...STRANGE, ['', '', 1, ''], ['', '-1', 1, ''], ['', '1', '1', ''], ['', '1', 1]])
    expect(check(reply)).toBe(false);
  expect([isListOfAll(isText)([]), isListOfAll(isText)(['a', 1]), isListOfAll(isText)('a')]).toEqual([
    true,
    false,
    false,
  ]);
});
