import fc from 'fast-check';
import { OPCODES, rawFrame } from '@wss/testing';

/** Mostly the value as it has to be. */
const mostly = <T>(right: T, ...wrong: fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(right) },
    ...wrong.map((arbitrary) => ({ weight: 1, arbitrary })),
  );

const event = fc.oneof(
  fc.constantFrom(
    'echo.say',
    'chat.send',
    '$join',
    '$leave',
    '$presence',
    '$ping',
    '$auth',
    '$skip',
    '$hello',
  ),
  fc.constantFrom('__proto__', 'constructor', 'no.such', ''),
  fc.string({ maxLength: 200, unit: 'grapheme' }),
);

const room = fc.oneof(
  fc.constantFrom('chat:hostile', 'board:hostile', 'no-such:kind', 'chat:', ':', 'chat:é', '__proto__:x'),
  fc.string({ maxLength: 200 }),
  fc.anything(),
);

const data = fc.oneof(
  fc.record({ text: fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.anything()) }),
  fc.object({ maxDepth: 4 }),
  fc.anything({ withNullPrototype: false }),
);

const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0, 1e308, 2 ** 53, 'x', null, {}));

/** An envelope; `$id` stands for an id of its own. */
const envelope = fc.record(
  {
    event,
    data,
    room,
    id: mostly<unknown>('$id', fc.anything()),
    n: number,
    ack: number,
    epoch: fc.string(),
  },
  { requiredKeys: ['event', 'id'] },
);

/** Texts that JSON.stringify does not make. */
const oddText = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    '[]',
    'null',
    '"',
    '{"id":"$id","id":"$id","event":"$ping"}',
    '{"id":"$id","event":"echo.say","data":{"__proto__":{"text":"x"}}}',
    '{"__proto__":{"event":"$ping"},"id":"$id"}',
    '{"id":"$id","event":"echo.say","data":{"text":"\\u0000"}}',
    '{"id":"$id","event":"echo.say","data":{"text":1e400}}',
    '{"id":"$id","event":"echo.say","data":{"\\u005f_proto__":1}}',
    '\u0000',
    '\ufeff{"id":"$id","event":"$ping"}',
  ),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
  fc
    .integer({ min: 1, max: 5_000 })
    .map((depth) => `{"id":"$id","event":"echo.say","data":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`),
  fc.integer({ min: 1, max: 6_000 }).map((digits) => `{"id":${'9'.repeat(digits)},"event":"$ping"}`),
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 500 }),
);

const content = fc.oneof(
  { weight: 6, arbitrary: envelope.map((value) => Buffer.from(textOf(value))) },
  { weight: 3, arbitrary: oddText.map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 65_500, max: 65_600 }).map((size) => Buffer.alloc(size, ' ')) },
);

const opcode = fc.oneof(
  { weight: 20, arbitrary: fc.constant<number>(OPCODES.text) },
  { weight: 4, arbitrary: fc.constantFrom<number>(OPCODES.ping, OPCODES.pong) },
  { weight: 2, arbitrary: fc.constantFrom<number>(OPCODES.binary, OPCODES.continuation, OPCODES.close) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 15 }) },
);

const mask = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes): Buffer | null => Buffer.from(bytes));

const frame = fc
  .record({
    opcode,
    content,
    fin: mostly(true, fc.boolean(), fc.boolean()),
    rsv: mostly(0, fc.integer({ min: 0, max: 7 })),
    mask: mostly<Buffer | null>(Buffer.alloc(4), mask, fc.constant(null)),
    lie: mostly<number | undefined>(undefined, fc.integer({ min: 0, max: 2 ** 40 })),
    lengthBytes: mostly<0 | 2 | 8 | undefined>(undefined, fc.constantFrom(2 as const, 8 as const)),
  })
  .map(({ opcode: kind, content: payload, lie, lengthBytes, ...options }) => ({
    kind,
    payload,
    options,
    lie,
    lengthBytes,
  }));

/** A message in fragments, with a control frame between them. */
const fragments = fc
  .tuple(content, fc.integer({ min: 1, max: 1_100 }))
  .map(([payload, size]) => ({ payload, size }));

/** One thing that a hostile client sends; it becomes bytes with the number that its ids get. */
const piece: fc.Arbitrary<(id: number) => Buffer> = fc.oneof(
  {
    weight: 12,
    arbitrary: frame.map(({ kind, payload, options, lie, lengthBytes }) => (id: number) => {
      const named = withId(payload, id);
      const bytes = kind >= 8 && lie === undefined ? named.subarray(0, 125) : named;
      return rawFrame(kind, bytes, {
        ...options,
        ...(lie !== undefined && { length: lie }),
        ...(lengthBytes !== undefined && { lengthBytes }),
      });
    }),
  },
  {
    weight: 2,
    arbitrary: fragments.map(
      ({ payload, size }) =>
        (id: number) =>
          fragmented(withId(payload, id), size),
    ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => () => Buffer.from(bytes)) },
);

/** All that a client sends, and where it is cut into writes. */
export const hostileBytes = fc
  .tuple(
    fc.array(piece, { maxLength: 25 }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  )
  .map(([pieces, cuts]) => {
    const bytes = Buffer.concat(pieces.map((make, index) => make(1_000 + index)));
    const places = cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
    return { bytes, cuts: places };
  });

function textOf(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ??
      'null'
    );
  } catch {
    return '{}';
  }
}

function withId(payload: Buffer, id: number): Buffer {
  return payload.includes('"$id"')
    ? Buffer.from(payload.toString().replaceAll('"$id"', String(id)))
    : payload;
}

function fragmented(payload: Buffer, size: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += size) {
    const kind = at === 0 ? OPCODES.text : OPCODES.continuation;
    frames.push(rawFrame(kind, payload.subarray(at, at + size), { fin: at + size >= payload.length }));
    if (at === 0) frames.push(rawFrame(OPCODES.ping, 'between'));
  }
  return Buffer.concat(frames);
}
