import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger, type Type } from '@nestjs/common';
import { dtoReader, GatewayError, instanceJudge, toInstance } from '@wss/core';
import { newSeed, Random } from '@wss/testing';
import { ClassSchemas } from '../src/class-schemas.js';
import type { JsonSchema, Schemas } from '../src/json-schema.js';
import { compilerDisagrees, partsOf, schemaJudge, typePart, type TypeCase } from './judges.js';
import { ClassMaker, type RandomClass } from './random-classes.js';
import { DataMaker, PLAIN_ODD } from './random-data.js';

const CLASSES = process.env.CHAOS === 'long' ? 3_000 : 80;
const DATA = 24;

/** The server's verdict on data as they come from the wire. */
function serverTakes(type: Type<object>): (data: unknown) => boolean {
  const read = dtoReader(type);
  return (data) => {
    try {
      read(JSON.parse(JSON.stringify(data)));
      return true;
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'invalid' && error.details?.length) return false;
      throw error;
    }
  };
}

function published(type: Type<object>, direction: 'received' | 'sent'): { ref: JsonSchema; schemas: Schemas } {
  const schemas = new ClassSchemas();
  const ref = schemas.referTo(type, direction);
  return { ref, schemas: schemas.all() };
}

function isObject(data: unknown): boolean {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

describe('what the contract says', () => {
  beforeAll(() => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  });

  it.each([false, true])('is what the server accepts (rules that need words: %s)', (loose) => {
    const seed = newSeed();
    console.info(`CHAOS_SEED=${seed}`);
    const random = new Random(seed);
    const verdicts = { taken: 0, refused: 0 };
    for (let i = 0; i < CLASSES; i++) {
      const made = new ClassMaker(random, loose).make();
      const { ref, schemas } = published(made.type, 'received');
      const allowed = schemaJudge(ref, schemas);
      const takes = serverTakes(made.type);
      const maker = new DataMaker(random, schemas);
      for (let n = 0; n < DATA; n++) {
        const data = maker.make(ref);
        const [mine, theirs] = [takes(data), allowed(JSON.parse(JSON.stringify(data)))];
        verdicts[mine ? 'taken' : 'refused']++;
        if (mine === theirs || (!made.exact && !mine) || isBeyondAjv(made, data)) continue;
        throw new Error(difference(seed, made, { data, mine, theirs, schemas }));
      }
    }
    expect(verdicts.taken).toBeGreaterThan(CLASSES);
    expect(verdicts.refused).toBeGreaterThan(CLASSES);
  });

  it('is what the server sends', () => {
    const seed = newSeed();
    console.info(`CHAOS_SEED=${seed}`);
    const random = new Random(seed);
    const verdicts = { taken: 0, refused: 0 };
    for (let i = 0; i < CLASSES; i++) {
      const made = new ClassMaker(random, false, true).make();
      const { ref, schemas } = published(made.type, 'sent');
      const allowed = schemaJudge(ref, schemas);
      const judge = instanceJudge(made.type);
      const maker = new DataMaker(random, schemas);
      for (let n = 0; n < DATA; n++) {
        const data = JSON.parse(JSON.stringify(maker.make(ref))) as object;
        if (!isObject(data)) continue;
        const instance = toInstance(made.type, data);
        if (hasNoJson(instance)) continue;
        const mine = judge(instance).length === 0;
        const theirs = allowed(JSON.parse(JSON.stringify(instance)));
        verdicts[mine ? 'taken' : 'refused']++;
        if (mine !== theirs && !isBeyondAjv(made, data))
          throw new Error(difference(seed, made, { data, mine, theirs, schemas }));
      }
    }
    expect(verdicts.taken * verdicts.refused).toBeGreaterThan(0);
  });

  it('is what the types say', () => {
    const seed = newSeed();
    console.info(`CHAOS_SEED=${seed}`);
    const random = new Random(seed);
    const schemas = new ClassSchemas();
    const commands = Array.from({ length: CLASSES / 2 }, (_, i) => ({
      event: `c${i}`,
      data: schemas.referTo(new ClassMaker(random, true).make().type, 'received'),
    }));
    const all = schemas.all();
    const cases: TypeCase[] = [];
    const maker = new DataMaker(random, all, PLAIN_ODD);
    for (const { event, data: ref } of commands) {
      const allowed = schemaJudge(typePart(ref), partsOf(all));
      for (let n = 0; n < 12; n++) {
        const data = JSON.parse(JSON.stringify(maker.make(ref))) as unknown;
        if (isComparable(data)) cases.push({ command: event, data, allowed: allowed(data) });
      }
    }
    const contract = { commands, events: [], rooms: [], schemas: all };
    expect([seed, compilerDisagrees(contract, cases).slice(0, 3)]).toEqual([seed, []]);
    expect(new Set(cases.map(({ allowed }) => allowed)).size).toBe(2);
  });
});

/** The compiler refuses objects that share no field with a type whose fields may all be absent. */
function isComparable(data: unknown): boolean {
  return !JSON.stringify(data).includes('"extra"');
}

/** JSON has `null` for an invalid date, for no number, and for nothing in a list, which the rules do not see. */
function hasNoJson(value: unknown): boolean {
  if (Array.isArray(value) && value.includes(undefined)) return true;
  if (typeof value === 'number') return !Number.isFinite(value);
  if (value instanceof Date) return Number.isNaN(value.getTime());
  return typeof value === 'object' && value !== null && Object.values(value).some(hasNoJson);
}

/** Ajv divides, which is not exact beyond 2^53; the server takes the remainder. */
function isBeyondAjv({ made }: RandomClass, data: unknown): boolean {
  return made.includes('IsDivisibleBy') && JSON.stringify(data).includes('e+');
}

interface Verdicts {
  readonly data: unknown;
  readonly mine: boolean;
  readonly theirs: boolean;
  readonly schemas: Schemas;
}

function difference(seed: number, { made, type }: RandomClass, { data, mine, theirs, schemas }: Verdicts): string {
  return [
    `CHAOS_SEED=${seed}: the server ${mine ? 'takes' : 'refuses'} what the schema ${theirs ? 'allows' : 'refuses'}`,
    `class ${type.name} ${made}`,
    `data ${JSON.stringify(data)}`,
    JSON.stringify(schemas),
  ].join('\n');
}
