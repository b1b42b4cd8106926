import { expect, it } from '@jest/globals';
import { onceKeyOf } from './once-key.js';

const fingerprint = (body: unknown): string =>
  onceKeyOf({ once: 'k', user: 'ann', body }, 'update Tally')!.fingerprint;

it('takes bodies with the same JSON for one', () => {
  expect(fingerprint({ at: new Date(0), by: undefined })).toBe(
    fingerprint({ at: '1970-01-01T00:00:00.000Z' }),
  );
  const others = [undefined, null, 0, false, '', 'null', [], {}, { a: 1, b: 2 }, { b: 2, a: 1 }];
  expect(new Set([...others.slice(1), undefined].map(fingerprint)).size).toBe(others.length);
});

it('refuses bodies that have no JSON', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const failing = {
    toJSON() {
      throw new Error('not now');
    },
  };
  for (const body of [circle, failing, 5n, { n: 5n }, () => 1, Symbol('a'), { toJSON: () => undefined }]) {
    expect(() => fingerprint(body)).toThrow(expect.objectContaining({ code: 'invalid' }));
  }
});
