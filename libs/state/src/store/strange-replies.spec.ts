import { describe, expect, it } from '@jest/globals';
import { decodeCommit } from './commit-format.js';
import { decodeResume } from './resume-format.js';

describe.each<[string, (reply: never) => unknown]>([
  ['a commit', (reply) => decodeCommit(reply, [])],
  ['a resume', (reply) => decodeResume(reply)],
])('%s', (_what, decode) => {
  it.each<unknown>([
    'OK',
    7,
    null,
    [],
    'foo',
    '',
    [[]],
    [null, '1'],
    [1, 'foo', [1, 2]],
    'committed 1.x seq 0 0 -',
    Array.from({ length: 9 }, () => '1'),
  ])('takes %j for no reply', (reply) => {
    expect(() => decode(reply as never)).toThrow('a reply that is none to what was asked');
  });
});
