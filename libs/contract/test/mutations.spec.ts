import { describe, expect, it } from '@jest/globals';
import { Ajv, type ValidateFunction } from 'ajv';
import { breakingChanges, type BreakingChange, describeChange } from '../src/compatibility/compatibility.js';
import type { AppContract } from '../src/contract.js';
import type { Schemas } from '../src/json-schema.js';
import { Chance } from './random.js';
import { type Draft, randomSchemas, sample } from './random-schemas.js';
import { type Effect, type Mutation, MUTATIONS } from './schema-mutations.js';

const SEED = Number(process.env['MUTATION_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const COUNT = Number(process.env['MUTATIONS'] ?? 200);
/** Values that are tried before a change counts as harmless, and until a break must have shown itself. */
const [TRIES, MOST_TRIES] = [60, 6_000];

/** Where the changed data stands, and the direction in which it goes. */
const PLACES = ['command', 'room command', 'reply', 'event', 'room event', 'document'] as const;
type Place = (typeof PLACES)[number];
const isSent = (place: Place): boolean => place.endsWith('command');

interface Data {
  readonly root: Draft;
  readonly schemas: Record<string, Draft>;
}

const NONE = { type: 'object', properties: {} };
function contractWith(place: Place, { root, schemas }: Data): AppContract {
  const command = { event: 'do.it', data: isSent(place) ? root : NONE, reply: place === 'reply' ? root : NONE };
  const event = { event: 'was.done', data: place.endsWith('event') ? root : NONE, volatile: false };
  const inRoom = place.startsWith('room') || place === 'document';
  const documents = [{ name: 'doc', value: place === 'document' ? root : NONE }];
  const outside = inRoom ? { commands: [], events: [] } : { commands: [command], events: [event] };
  const inside = inRoom ? { commands: [command], events: [event] } : { commands: [], events: [] };
  return { ...outside, rooms: [{ type: 'poll', ...inside, documents }], schemas: schemas as Schemas };
}

interface Spot {
  readonly schema: Draft;
  readonly field: string;
}

/** All schemas inside of data that some value reaches, with the field that a message names from the nearest named schema on. */
function spotsOf({ root, schemas }: Data): Spot[] {
  const used = new Set<string>();
  const found: Spot[] = [];
  const visit = (schema: Draft, field: string): void => {
    found.push({ schema, field });
    const name = schema.$ref?.split('/').at(-1);
    if (name !== undefined && !used.has(name)) {
      used.add(name);
      visit(schemas[name]!, '');
    }
    for (const [key, inner] of Object.entries(schema.properties ?? {})) visit(inner as Draft, `${field}.${key}`);
    if (schema.items) visit(schema.items as Draft, `${field}[]`);
    if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties as Draft, `${field}{}`);
    for (const member of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) visit(member as Draft, field);
  };
  visit(root, '');
  return found;
}

const validator = ({ root, schemas }: Data): ValidateFunction =>
  new Ajv({ strict: false, validateFormats: false }).compile({ ...root, components: { schemas } });

/** A value that the first data allows and the second does not. */
function witness(from: Data, to: Data, [chance, tries]: readonly [Chance, number]): unknown {
  const [isOwn, isTaken] = [validator(from), validator(to)];
  for (let i = 0; i < tries; i++) {
    const value = sample(from.root, from.schemas, chance);
    if (isOwn(value) && !isTaken(value)) return value;
  }
  return undefined;
}

const breaks = (effect: Effect, place: Place): boolean => {
  if (effect === 'other' || effect === 'removed field') return true;
  return effect === (isSent(place) ? 'narrower' : 'wider');
};

interface Case {
  readonly mutation: Mutation;
  readonly place: Place;
  readonly committed: Data;
  readonly present: Data;
  readonly effect: Effect;
  readonly field: string;
  readonly chance: Chance;
}

/** A random change of random data: each kind of change has its turn. */
function caseOf(index: number): Case {
  const chance = new Chance(SEED + index);
  const mutation = MUTATIONS[index % MUTATIONS.length]!;
  for (;;) {
    const committed = randomSchemas(chance);
    const present = structuredClone(committed);
    const spots = spotsOf(present).filter(({ schema }) => mutation.fits(schema));
    if (spots.length === 0) continue;
    const { schema, field } = chance.of(spots);
    const effect = typeof mutation.effect === 'function' ? mutation.effect(schema) : mutation.effect;
    const inner = mutation.apply(schema, chance);
    const place = chance.of(PLACES);
    return { mutation, place, committed, present, effect, field: inner ? `${field}.${inner}` : field, chance };
  }
}

const pathOf = ({ field }: BreakingChange): string => `.${field}`.replace(/\([^)]*\)/g, '');

describe(`a changed contract (seed ${SEED})`, () => {
  it(`is judged as its values are, in ${COUNT} mutations`, () => {
    const verdicts = { breaks: 0, harmless: 0 };
    for (let index = 0; index < COUNT; index++) {
      const { mutation, place, committed, present, effect, field, chance } = caseOf(index);
      const [from, to] = isSent(place) ? [committed, present] : [present, committed];
      const expected = breaks(effect, place);
      const shows = expected && effect !== 'removed field';
      const value = witness(from, to, [chance, shows ? MOST_TRIES : TRIES]);
      const changes = breakingChanges(contractWith(place, committed), contractWith(place, present));
      const texts = changes.map(describeChange);
      const told = { index, name: mutation.name, place, field, value, texts, committed, present };
      const say = (what: string): string => `${what}: ${JSON.stringify(told, null, 1)}`;
      if (shows && value === undefined) throw new Error(say('no value shows the break'));
      if (!expected && effect !== 'removed field' && value !== undefined) throw new Error(say('a value breaks'));
      if (expected !== changes.length > 0) throw new Error(say(expected ? 'a break was missed' : 'a false alarm'));
      verdicts[expected ? 'breaks' : 'harmless']++;
      if (!expected) continue;
      const [change] = changes;
      expect(change).toMatchObject({
        event: place === 'document' ? 'doc' : isSent(place) || place === 'reply' ? 'do.it' : 'was.done',
        direction: isSent(place) ? 'client to server' : 'server to client',
      });
      if (!changes.some((one) => pathOf(one).includes(field))) throw new Error(say('the field is not named'));
    }
    expect(Math.min(verdicts.breaks, verdicts.harmless)).toBeGreaterThan(COUNT / 5);
  });

  it('is judged by what a list must contain', () => {
    const asking = (...values: string[]): Data => ({
      root: { type: 'array', allOf: values.map((value) => ({ contains: { const: value } })) },
      schemas: {},
    });
    const judged = (from: Data, to: Data): string[] =>
      breakingChanges(contractWith('room command', from), contractWith('room command', to)).map(({ rule }) => rule);
    expect(judged(asking('a'), asking('a', 'b'))[0]).toMatch(/^contains: /);
    expect(judged(asking(), asking('b'))[0]).toMatch(/^contains: /);
    expect(judged(asking('b', 'a'), asking('a'))).toEqual([]);
  });

  it('is judged by rules that only words tell, in either direction', () => {
    const text = { type: 'string', minLength: 1 };
    const having = (field: Draft): Data => ({
      root: { type: 'object', properties: { mail: field }, required: ['mail'] },
      schemas: {},
    });
    const bare = having(text);
    const mail = (...rules: string[]): Data =>
      having({ ...text, description: rules.join('; '), $comment: JSON.stringify(rules) });
    const isBroken = (place: Place, from: Data, to: Data): boolean => {
      const changes = breakingChanges(contractWith(place, from), contractWith(place, to));
      for (const change of changes) expect(change).toMatchObject({ field: 'mail', rule: expect.stringMatching(/^rule: /) });
      return changes.length > 0;
    };
    for (const place of PLACES) {
      expect(isBroken(place, bare, mail('an email address'))).toBe(isSent(place));
      expect(isBroken(place, mail('an email address'), bare)).toBe(!isSent(place));
      expect(isBroken(place, mail('a'), mail('a', 'b'))).toBe(isSent(place));
      expect(isBroken(place, mail('a'), mail('b'))).toBe(true);
      expect(isBroken(place, mail('a', 'b'), mail('b', 'a'))).toBe(false);
    }
    const reworded = having({ ...text, description: 'in other words', $comment: '["a"]' });
    expect(isBroken('command', mail('a'), reworded)).toBe(false);
    expect(isBroken('command', bare, having({ ...text, $comment: 'not a list' }))).toBe(true);
    const chosen = having({ type: 'string', enum: ['a@b.example'] });
    expect(isBroken('command', chosen, mail('an email address'))).toBe(true);
  });

  it('is judged by its names: events, commands, rooms, documents and their reach', () => {
    const data = randomSchemas(new Chance(SEED));
    const old = contractWith('room command', data);
    const [room] = old.rooms;
    const withRoom = (change: object): AppContract => ({ ...old, rooms: [{ ...room!, ...change }] });
    const [command, event, document] = [room!.commands[0]!, room!.events[0]!, room!.documents[0]!];
    const changed: Record<string, AppContract> = {
      'do.it': withRoom({ commands: [{ ...command, event: 'do.that' }] }),
      'was.done': withRoom({ events: [{ ...event, event: 'was.made' }] }),
      'was.done ': withRoom({ events: [{ ...event, volatile: true }] }),
      doc: withRoom({ documents: [{ ...document, name: 'paper' }] }),
      poll: { ...old, rooms: [{ ...room!, type: 'vote' }] },
      'do.it ': { ...old, commands: [command], rooms: [{ ...room!, commands: [] }] },
    };
    for (const [name, present] of Object.entries(changed))
      expect(breakingChanges(old, present)[0]?.event).toBe(name.trim());
    const fine = [
      withRoom({ commands: [command, { ...command, event: 'do.more' }] }),
      withRoom({ events: [event, { ...event, event: 'was.more' }] }),
      withRoom({ documents: [document, { ...document, name: 'more' }] }),
      { ...old, rooms: [room!, { ...room!, type: 'more' }] },
      old,
    ];
    for (const present of fine) expect(breakingChanges(old, present)).toEqual([]);
    expect(breakingChanges(withRoom({ events: [{ ...event, volatile: true }] }), old)).toEqual([]);
  });
});
