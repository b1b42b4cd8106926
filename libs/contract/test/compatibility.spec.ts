import { describe, expect, it } from '@jest/globals';
import type { AppContract } from '../src/contract.js';
import { type BreakingChange, breakingChanges, describeChange } from '../src/compatibility/compatibility.js';
import { type JsonSchema } from '../src/json-schema.js';

const text: JsonSchema = { type: 'string', minLength: 1, maxLength: 200 };
const object = (properties: Record<string, JsonSchema>, required: string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  required,
});
const contract = (change: Partial<AppContract> = {}): AppContract => ({
  commands: [],
  events: [],
  rooms: [],
  schemas: {},
  ...change,
});
const withCommand = (data: JsonSchema, reply?: JsonSchema): AppContract =>
  contract({ commands: [{ event: 'poll.vote', data, ...(reply && { reply }) }] });
const withEvent = (data: JsonSchema, volatile = false): AppContract =>
  contract({
    rooms: [{ type: 'poll', commands: [], events: [{ event: 'poll.voted', data, volatile }], documents: [] }],
  });
const withDocument = (value: JsonSchema): AppContract =>
  contract({ rooms: [{ type: 'poll', commands: [], events: [], documents: [{ name: 'poll', value }] }] });

/** Changes of data that clients send. */
const sent = (before: JsonSchema, after: JsonSchema): BreakingChange[] =>
  breakingChanges(withCommand(before), withCommand(after));
/** Changes of data that clients get. */
const received = (before: JsonSchema, after: JsonSchema): BreakingChange[] =>
  breakingChanges(withEvent(before), withEvent(after));
const rules = (changes: readonly BreakingChange[]): string[] =>
  changes.map(({ field, rule }) => `${field} ${rule}`.trim());

describe('what clients send', () => {
  const options: JsonSchema = { type: 'string', enum: ['a', 'b'] };
  it.each<[string, JsonSchema, JsonSchema, string[]]>([
    ['a new required field', object({ a: text }), object({ a: text, b: text }, ['b']), ['b required: absent became required']],
    ['an optional field made required', object({ a: text }), object({ a: text }, ['a']), ['a required: optional became required']],
    ['a removed field', object({ a: text, b: text }), object({ a: text }), ['b field: there became absent']],
    ['a lower maximum length', object({ a: text }), object({ a: { ...text, maxLength: 100 } }), ['a maxLength: 200 became 100']],
    ['a higher minimum length', object({ a: text }), object({ a: { ...text, minLength: 2 } }), ['a minLength: 1 became 2']],
    ['a new maximum length', object({ a: { type: 'string' } }), object({ a: text }), ['a minLength: none became 1', 'a maxLength: none became 200']],
    ['a removed enum value', object({ a: options }), object({ a: { type: 'string', enum: ['a'] } }), ['a enum: "a", "b" became "a"']],
    ['a new enum', object({ a: { type: 'string' } }), object({ a: options }), ['a enum: any value became "a", "b"']],
    ['a changed type', object({ a: text }), object({ a: { type: 'integer' } }), ['a type: string became integer']],
    ['a number made an integer', object({ a: { type: 'number' } }), object({ a: { type: 'integer' } }), ['a type: number became integer']],
    ['a null that is no longer taken', object({ a: { type: ['string', 'null'] } }), object({ a: { type: 'string' } }), ['a type: string or null became string']],
    ['a higher minimum', object({ a: { type: 'integer', minimum: 0 } }), object({ a: { type: 'integer', minimum: 1 } }), ['a minimum: 0 became 1']],
    ['a lower maximum', object({ a: { type: 'integer' } }), object({ a: { type: 'integer', maximum: 5 } }), ['a maximum: none became 5']],
    ['a changed pattern', object({ a: { type: 'string', pattern: 'x' } }), object({ a: { type: 'string', pattern: 'y' } }), ['a pattern: "x" became "y"']],
    ['a new format', object({ a: { type: 'string' } }), object({ a: { type: 'string', format: 'uuid' } }), ['a format: none became "uuid"']],
    ['fewer items', object({ a: { type: 'array', maxItems: 5 } }), object({ a: { type: 'array', maxItems: 4 } }), ['a maxItems: 5 became 4']],
    ['narrower items', object({ a: { type: 'array', items: text } }), object({ a: { type: 'array', items: { ...text, maxLength: 9 } } }), ['a[] maxLength: 200 became 9']],
    ['items that must differ', object({ a: { type: 'array' } }), object({ a: { type: 'array', uniqueItems: true } }), ['a uniqueItems: none became true']],
    ['a nested field made required', object({ a: object({ b: text }) }), object({ a: object({ b: text }, ['b']) }), ['a.b required: optional became required']],
  ])('breaks callers by %s', (_name, before, after, expected) => {
    const changes = sent(before, after);
    expect(rules(changes)).toEqual(expected);
    expect(changes[0]).toMatchObject({ event: 'poll.vote', direction: 'client to server', part: 'data' });
  });

  it.each<[string, JsonSchema, JsonSchema]>([
    ['a new optional field', object({ a: text }), object({ a: text, b: text })],
    ['a required field made optional', object({ a: text }, ['a']), object({ a: text })],
    ['a higher maximum length', object({ a: text }), object({ a: { ...text, maxLength: 300 } })],
    ['no minimum length any more', object({ a: text }), object({ a: { type: 'string', maxLength: 200 } })],
    ['a new enum value', object({ a: options }), object({ a: { type: 'string', enum: ['a', 'b', 'c'] } })],
    ['an enum made free', object({ a: options }), object({ a: { type: 'string' } })],
    ['an integer made a number', object({ a: { type: 'integer' } }), object({ a: { type: 'number' } })],
    ['null taken too', object({ a: { type: 'string' } }), object({ a: { type: ['string', 'null'] } })],
    ['a minimum length of nothing', object({ a: { type: 'string' } }), object({ a: { type: 'string', minLength: 0 } })],
    ['no pattern any more', object({ a: { type: 'string', pattern: 'x' } }), object({ a: { type: 'string' } })],
    ['a rule in other words', object({ a: { type: 'integer', exclusiveMinimum: 0 } }), object({ a: { type: 'integer', minimum: 0 } })],
  ])('breaks nobody by %s', (_name, before, after) => {
    expect(sent(before, after)).toEqual([]);
  });

  it('breaks callers of a removed command', () => {
    expect(breakingChanges(withCommand(object({})), contract())).toEqual([
      expect.objectContaining({ event: 'poll.vote', direction: 'client to server', rule: 'removed' }),
    ]);
  });

  it('takes a command that moved into a room as removed', () => {
    const moved = contract({
      rooms: [{ type: 'poll', commands: [{ event: 'poll.vote', data: object({}) }], events: [], documents: [] }],
    });
    expect(rules(breakingChanges(withCommand(object({})), moved))).toEqual(['removed']);
  });

  it('breaks callers of a removed kind of room', () => {
    expect(breakingChanges(withEvent(object({})), contract())).toEqual([
      expect.objectContaining({ event: 'poll', part: 'room type', rule: 'removed' }),
    ]);
  });
});

describe('what clients get', () => {
  it.each<[string, JsonSchema, JsonSchema, string[]]>([
    ['a removed field', object({ a: text }, ['a']), object({}), ['a required: absent became required']],
    ['a removed optional field', object({ a: text }), object({}), ['a field: there became absent']],
    ['a field made optional', object({ a: text }, ['a']), object({ a: text }), ['a required: required became optional']],
    ['a new enum value', object({ a: { type: 'string', enum: ['a'] } }), object({ a: { type: 'string', enum: ['a', 'b'] } }), ['a enum: "a" became "a", "b"']],
    ['an enum made free', object({ a: { type: 'string', enum: ['a'] } }), object({ a: { type: 'string' } }), ['a enum: "a" became any value']],
    ['an integer made a number', object({ a: { type: 'integer' } }), object({ a: { type: 'number' } }), ['a type: integer became number']],
    ['null sent too', object({ a: { type: 'string' } }), object({ a: { type: ['string', 'null'] } }), ['a type: string became string or null']],
    ['a higher maximum length', object({ a: text }), object({ a: { ...text, maxLength: 300 } }), ['a maxLength: 200 became 300']],
    ['a lower minimum', object({ a: { type: 'integer', minimum: 1 } }), object({ a: { type: 'integer', minimum: 0 } }), ['a minimum: 1 became 0']],
    ['more items', object({ a: { type: 'array', maxItems: 5 } }), object({ a: { type: 'array' } }), ['a maxItems: 5 became none']],
  ])('breaks receivers by %s', (_name, before, after, expected) => {
    const changes = received(before, after);
    const [first] = expected;
    expect(rules(changes)).toEqual(first === 'a required: absent became required' ? ['a required: required became absent'] : expected);
    expect(changes[0]).toMatchObject({
      event: 'poll.voted',
      roomType: 'poll',
      direction: 'server to client',
      part: 'data',
    });
  });

  it.each<[string, JsonSchema, JsonSchema]>([
    ['a new field', object({ a: text }), object({ a: text, b: text }, ['b'])],
    ['an optional field made required', object({ a: text }), object({ a: text }, ['a'])],
    ['a removed enum value', object({ a: { type: 'string', enum: ['a', 'b'] } }), object({ a: { type: 'string', enum: ['a'] } })],
    ['a lower maximum length', object({ a: text }), object({ a: { ...text, maxLength: 100 } })],
    ['a number made an integer', object({ a: { type: 'number' } }), object({ a: { type: 'integer' } })],
  ])('breaks nobody by %s', (_name, before, after) => {
    expect(received(before, after)).toEqual([]);
  });

  it('breaks receivers of a removed event, and of one that may be lost now', () => {
    const empty = contract({ rooms: [{ type: 'poll', commands: [], events: [], documents: [] }] });
    expect(rules(breakingChanges(withEvent(object({})), empty))).toEqual(['removed']);
    const lossy = breakingChanges(withEvent(object({})), withEvent(object({}), true));
    expect(rules(lossy)).toEqual(['reach: logged became volatile']);
    expect(breakingChanges(withEvent(object({}), true), withEvent(object({})))).toEqual([]);
  });

  it('holds replies and documents to the same rules', () => {
    const reply = breakingChanges(
      withCommand(object({}), object({ a: text }, ['a'])),
      withCommand(object({}), object({ a: text })),
    );
    expect(reply).toEqual([
      expect.objectContaining({ event: 'poll.vote', part: 'reply', direction: 'server to client', field: 'a' }),
    ]);
    const value = breakingChanges(withDocument(object({ a: text }, ['a'])), withDocument(object({ a: text })));
    expect(value).toEqual([expect.objectContaining({ event: 'poll', part: 'document', field: 'a' })]);
  });

  it('breaks receivers of a reply that nobody declares any more', () => {
    const changes = breakingChanges(withCommand(object({}), object({})), withCommand(object({})));
    expect(rules(changes)).toEqual(['type: object became anything']);
  });
});

describe('references', () => {
  const tree = (leaf: JsonSchema): AppContract => ({
    ...withCommand({ $ref: '#/components/schemas/Node' }),
    schemas: {
      Node: object({
        leaf,
        children: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
        next: { anyOf: [{ $ref: '#/components/schemas/Node' }, { type: 'null' }] },
      }),
    },
  });

  it('are followed, also in circles', () => {
    expect(breakingChanges(tree(text), tree(text))).toEqual([]);
    expect(rules(breakingChanges(tree(text), tree({ type: 'string', maxLength: 9 })))).toContain(
      'leaf maxLength: 200 became 9',
    );
  });

  it('may be renamed without breaking anybody', () => {
    const renamed: AppContract = {
      ...withCommand({ $ref: '#/components/schemas/Other' }),
      schemas: { Other: object({ leaf: text }) },
    };
    const named: AppContract = {
      ...withCommand({ $ref: '#/components/schemas/Node' }),
      schemas: { Node: object({ leaf: text }) },
    };
    expect(breakingChanges(named, renamed)).toEqual([]);
  });

  it('to something optional name the rule inside', () => {
    const optional = (schema: JsonSchema): AppContract => ({
      ...withCommand(object({ a: { anyOf: [{ $ref: '#/components/schemas/Node' }, { type: 'null' }] } })),
      schemas: { Node: object({ b: schema }) },
    });
    const changes = breakingChanges(optional(text), optional({ ...text, maxLength: 5 }));
    expect(rules(changes)).toEqual(['a.b maxLength: 200 became 5']);
  });
});

it('breaks nobody by other limits: clients obey what each answer says', () => {
  const limited = (limit: number): AppContract => {
    const { rooms, ...others } = withCommand(text);
    const limits = [{ per: 'connection', limit, windowMs: 1_000 }] as const;
    const commands = others.commands.map((command) => ({ ...command, limits }));
    return { ...others, commands, rooms: rooms.map((room) => ({ ...room, maxMembers: limit })) };
  };
  expect(breakingChanges(limited(10), limited(1))).toEqual([]);
  expect(breakingChanges(withCommand(text), limited(1))).toEqual([]);
});

it('names event, room, direction, field, rule and whom it breaks', () => {
  const [change] = received(object({ a: text }, ['a']), object({ a: text }));
  expect(describeChange(change!)).toBe(
    'poll.voted in poll:<key>, server to client, data field "a": required: required became optional: receivers that read it would miss it',
  );
});
