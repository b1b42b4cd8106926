import { describe, expect, it } from '@jest/globals';
import {
  CLOSE_CODES,
  encodeError,
  encodeLogEntry,
  encodeReply,
  ERROR_CODES,
  FrameError,
  isErrorCode,
  MAX_DEPTH,
  mayReconnect,
  parseFrame,
  parseRoomName,
} from './index.js';

const nested = (levels: number): string =>
  `{"event":"a","pad":"${'x'.repeat(64)}","data":${'['.repeat(levels)}${']'.repeat(levels)}}`;

describe("a client's frame", () => {
  it('reads every part of the envelope', () => {
    const text = '{"event":"a.b","room":"r:1","data":{"x":1},"id":"7","n":3,"ack":2,"epoch":"1.a"}';
    expect(parseFrame(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['not JSON', '{"event"', undefined],
    ['null', 'null', undefined],
    ['a number', '7', undefined],
    ['an array', '[]', undefined],
    ['no event', '{"id":5}', 5],
    ['an empty event', '{"event":"","id":"q"}', 'q'],
    ['an event of the wrong type', '{"event":{},"id":1}', 1],
    ['an overlong event', `{"event":"${'e'.repeat(129)}","id":1}`, 1],
    ['a fractional id', '{"event":"a","id":1.5}', undefined],
    ['an id that is an object', '{"event":"a","id":{}}', undefined],
    ['an id of 65 bytes in 33 characters', `{"event":"a","id":"${'é'.repeat(32)}x"}`, undefined],
    ['a room that is not a string', '{"event":"a","room":7,"id":1}', 1],
    ['n without room', '{"event":"a","id":1,"n":1}', 1],
    ['n without id', '{"event":"a","room":"r:1","n":1}', undefined],
    ['n of zero', '{"event":"a","room":"r:1","id":1,"n":0}', 1],
    ['a negative ack', '{"event":"a","ack":-1,"id":1}', 1],
    ['an epoch that is not a string', '{"event":"a","epoch":1,"id":1}', 1],
    ...[
      'null',
      '""',
      '"a|b|c"',
      '"1"',
      '"1."',
      '".a"',
      '"1.a|b"',
      '"1.a b"',
      '"1.a\\n"',
      '"1.a\\u0001"',
      '"1.ä"',
      '"-1.a"',
      '"1.2.a"',
      `"12345678901234567.a"`,
      `"1.${'a'.repeat(63)}"`,
    ].map((epoch) => {
      const text = `{"event":"a","room":"r:1","n":1,"id":1,"epoch":${epoch}}`;
      return [`R34: the epoch ${epoch}`, text, 1] as const;
    }),
    ['too deep a nesting', nested(MAX_DEPTH), undefined],
  ])('refuses %s and names the id it could read', (_what, text, id) => {
    let error: unknown;
    try {
      parseFrame(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FrameError);
    expect(error).toMatchObject({ code: 'bad_frame', id });
  });

  it('accepts the deepest legal nesting', () => {
    expect(parseFrame(nested(MAX_DEPTH - 1)).event).toBe('a');
  });

  it.each(['__proto__', '\\u005f_proto__', '__pr\\u006fto__'])('drops the key %s', (key) => {
    const frame = parseFrame(`{"event":"a","data":{"${key}":{"admin":true},"x":1}}`);
    expect(Object.getOwnPropertyNames(frame.data)).toEqual(['x']);
    expect((frame.data as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('encoders', () => {
  it('encode replies, errors and log events as documented', () => {
    expect(encodeReply(8, undefined)).toBe('{"id":8,"data":null}');
    expect(encodeReply('a"b', { x: 1 }, { seq: 4, epoch: '1.e', dup: true })).toBe(
      '{"id":"a\\"b","data":{"x":1},"seq":4,"epoch":"1.e","dup":true}',
    );
    const details = [{ path: 'text', message: 'too long' }];
    const body = { code: 'invalid', message: 'no', details, retry: false } as const;
    expect(JSON.parse(encodeError(8, body))).toEqual({ id: 8, error: body });
    expect(JSON.parse(encodeError(undefined, { code: 'conflict', message: 'c', retry: true }))).toEqual({
      event: 'error',
      data: { code: 'conflict', message: 'c', retry: true },
    });
  });

  it('number the events of an entry and put the patch on the last, only where it is wanted', () => {
    const entry = {
      first: 41,
      events: [
        { event: '"a"', data: '{}' },
        { event: '"b"', data: '1' },
      ],
      patch: '{"board":{"base":\x032\x04,"ops":[]}}',
    };
    const frames = (withPatch: boolean) =>
      encodeLogEntry('board:1', entry, withPatch).map((f) => JSON.parse(f));
    expect(frames(true)).toEqual([
      { event: 'a', room: 'board:1', seq: 41, data: {} },
      { event: 'b', room: 'board:1', seq: 42, data: 1, patch: { board: { base: 40, ops: [] } } },
    ]);
    expect(frames(false)[1]).not.toHaveProperty('patch');
  });
});

describe('tables', () => {
  it('tell by the close code alone whether to reconnect', () => {
    for (const [code, row] of Object.entries(CLOSE_CODES)) {
      expect([code, mayReconnect(Number(code))]).toEqual([code, row.reconnect]);
      expect(row.reason).toMatch(/^[\x20-\x7e]{1,123}$/);
    }
    expect([undefined, 1005, 1006, 4000, 4499].map(mayReconnect)).toEqual([true, true, true, true, true]);
    expect([1004, 1010, 3000, 4500, 4999].map(mayReconnect)).toEqual([false, false, false, false, false]);
  });

  it('never record an error that may be retried', () => {
    for (const row of Object.values(ERROR_CODES)) expect(row.retry && row.consumesN).toBe(false);
    expect(isErrorCode('constructor')).toBe(false);
  });
});

describe('parseRoomName', () => {
  it.each(['board:42', 'chat:lobby', 'a:' + 'x'.repeat(128), 'live-map:A_b.c-d'])('accepts %s', (name) => {
    expect(parseRoomName(name)).toEqual({ type: name.split(':')[0], key: name.split(':')[1] });
  });
  it.each([
    '',
    'board',
    'board:',
    ':1',
    'Board:1',
    'board:a b',
    'board:{x}',
    'a:' + 'x'.repeat(129),
    'b:1\n',
    '$x:1',
  ])('refuses %j', (name) => expect(parseRoomName(name)).toBeUndefined());
});
