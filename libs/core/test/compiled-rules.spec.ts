import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger, type Type } from '@nestjs/common';
import { newSeed, Random } from '@wss/testing';
import { Type as ReadAs } from 'class-transformer';
import {
  ArrayMaxSize,
  IsInt,
  IsOptional,
  IsString,
  useContainer,
  Validate,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { GatewayError } from '../src/errors/gateway-error.js';
import type { BodyReader } from '../src/validation/params-factories.js';
import { brokenRules } from '../src/validation/class-rules.js';
import { judgeInstance, uncompiledClasses } from '../src/validation/compiled-rules.js';
import type { BrokenProperty } from '../src/validation/property-rules.js';
import { dtoReader, toInstance } from '../src/validation/validation.js';
import { type CallLog, HostileClasses } from './hostile-classes.js';
import { HostileData } from './hostile-data.js';

const CLASSES = process.env.CHAOS === 'long' ? 2_000 : 150;
const DATA = 25;

function bySlowWay(instance: object, whitelist: boolean): readonly BrokenProperty[] {
  return brokenRules(instance, { forbidUnknownValues: false, whitelist });
}

/** A judgment as it can be seen: its outcome, and the calls of the program's validators. */
interface Seen {
  readonly taken: boolean;
  readonly details: unknown;
  /** Without the calls. */
  readonly told: string;
  readonly all: string;
}

function isFull({ details }: Seen): boolean {
  return Array.isArray(details) && details.length >= 20;
}

function seen(work: () => unknown, calls: CallLog): Seen {
  calls.length = 0;
  try {
    const result = work();
    return { taken: true, details: undefined, told: shown(result), all: shown([result, calls]) };
  } catch (error) {
    const { name, message, code, details } = error as Error & { code?: unknown; details?: unknown };
    const told = shown([name, message, code, details]);
    return { taken: false, details, told, all: shown([told, calls]) };
  }
}

/** All of a value, with the classes of objects and the order of fields. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null)
    return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
  const parts =
    value instanceof Date
      ? String(value.getTime())
      : value instanceof Map || value instanceof Set
        ? shown([...value])
        : Reflect.ownKeys(value)
            .map((key) => `${String(key)}: ${shown((value as Record<PropertyKey, unknown>)[key])}`)
            .join(', ');
  return `${classOf(value)} { ${parts} }`;
}

function classOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as object | null;
  const type =
    prototype &&
    (Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as { name?: unknown } | undefined);
  return typeof type?.name === 'string' ? type.name : 'no class';
}

function plain(broken: readonly BrokenProperty[] | undefined): unknown {
  return broken?.map(({ property, constraints = {}, children = [] }) => [
    property,
    Object.entries(constraints),
    plain(children),
  ]);
}

describe.each([false, true])(
  'compiled rules (with rules that are left to class-validator: %s)',
  (withLeft) => {
    const seed = newSeed();
    const random = new Random(seed);
    const calls: CallLog = [];
    const classes = new HostileClasses(random, withLeft, calls);
    const data = new HostileData(random);

    beforeAll(() => {
      console.info(`CHAOS_SEED=${seed}`);
      jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    });
    afterAll(() => void jest.restoreAllMocks());

    function* cases(): Generator<readonly [type: Type<object>, data: unknown]> {
      for (let i = 0; i < CLASSES; i++) {
        classes.story = [];
        const type = classes.make();
        for (let n = 0; n < DATA; n++) yield [type, data.body()];
      }
    }

    it('give the verdict, the instance and every violation of class-validator, by the same calls', () => {
      const readers = new Map<Type<object>, readonly [BodyReader, BodyReader]>();
      const verdicts = { taken: 0, refused: 0, nested: 0 };
      for (const [type, body] of cases()) {
        const [fast, slow] = readers.get(type) ?? [dtoReader(type), dtoReader(type, bySlowWay)];
        readers.set(type, [fast, slow]);
        const mine = seen(() => fast(body), calls);
        const theirs = seen(() => slow(body), calls);
        // Behind the last fault that is told nothing has to be asked.
        const key = isFull(theirs) ? 'told' : 'all';
        if (mine[key] !== theirs[key]) {
          expect([seed, classes.story, body, mine[key]]).toEqual([seed, classes.story, body, theirs[key]]);
        }
        verdicts[mine.taken ? 'taken' : 'refused']++;
        if (!mine.taken && /"path":"[^"]*\./.test(JSON.stringify(mine.details))) verdicts.nested++;
      }
      expect(Math.min(verdicts.taken, verdicts.refused, verdicts.nested)).toBeGreaterThan(CLASSES / 5);
      const line = uncompiledClasses();
      if (!withLeft) return expect(line).toBeUndefined();
      expect(line).toMatch(
        /^\d+ classes are judged by class-validator itself, .*\(\S+: (@ValidateIf|groups)\)/,
      );
    });

    it('judge instances that are kept whole as class-validator does', () => {
      const verdicts = { taken: 0, refused: 0 };
      for (const [type, body] of cases()) {
        if (typeof body !== 'object' || body === null) continue;
        let instances: object[];
        try {
          instances = [toInstance(type, body), toInstance(type, body)];
        } catch {
          continue;
        }
        const mine = seen(() => [plain(judgeInstance(instances[0]!, false)), instances[0]], calls);
        const theirs = seen(() => [plain(bySlowWay(instances[1]!, false)), instances[1]], calls);
        if (mine.all !== theirs.all) {
          expect([seed, classes.story, body, mine.all]).toEqual([seed, classes.story, body, theirs.all]);
        }
        verdicts[
          mine.all.startsWith('Array { 0: Array { 0: Array { length: number 0') ? 'taken' : 'refused'
        ]++;
      }
      expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(CLASSES / 5);
    });
  },
);

describe.each(['compiled', 'left to class-validator'])('rules that are %s, on a long list', (way) => {
  let asked = 0;
  const isAsked = ValidateBy({ name: 'asked', validator: { validate: () => ++asked < 0 } });
  const isSmall = ValidateBy({ name: 'small', validator: { validate: (value) => value !== 2 } });
  class Item {
    @isSmall @IsString() text!: string;
    @IsOptional() @isAsked other?: unknown;
    @ValidateIf(() => true) @IsInt() number!: number;
  }
  class CompiledItem {
    @isSmall @IsString() text!: string;
    @IsOptional() @isAsked other?: unknown;
    @IsInt() number!: number;
  }
  const type = way === 'compiled' ? CompiledItem : Item;
  class Body {
    @ArrayMaxSize(3) @ValidateNested({ each: true }) @ReadAs(() => type) items!: unknown;
    @IsInt() last!: number;
  }

  it('are asked no longer than until the answer is full, and tell what the library tells first', () => {
    const random = new Random(newSeed());
    const [fast, slow] = [dtoReader(Body), dtoReader(Body, bySlowWay)];
    const values = ['a', 1, 2, undefined];
    const item = (): unknown =>
      random.pick([
        { text: random.pick(values), number: random.pick(values) },
        { text: 'a', number: 1, other: random.pick([undefined, 1]) },
        ...[{ text: 'a', number: 1 }, 1, [], [{ text: 1 }, 2], null],
      ]);
    for (let i = 0; i < 200; i++) {
      const body = { items: Array.from({ length: random.below(80) }, item), last: random.pick(values) };
      expect(seen(() => fast(body), []).told).toBe(seen(() => slow(body), []).told);
    }
    asked = 0;
    const list = Array.from({ length: 5_000 }, () => ({ other: 1 }));
    expect(() => fast({ items: list })).toThrow(GatewayError);
    expect(asked).toBeLessThanOrEqual(20);
  });
});

describe('a compiled rule', () => {
  it('asks the validator that the container of the application has now', () => {
    @ValidatorConstraint({ name: 'known' })
    class Known implements ValidatorConstraintInterface {
      constructor(private readonly answer = true) {}
      validate(): boolean {
        return this.answer;
      }
    }
    class Body {
      @Validate(Known) @IsString() text!: string;
    }
    const read = dtoReader(Body);
    expect(read({ text: 'a' })).toEqual({ text: 'a' });
    const refusing = { get: (type: unknown) => (type === Known ? new Known(false) : undefined) };
    useContainer(refusing, { fallback: true });
    try {
      expect(() => read({ text: 'a' })).toThrow(GatewayError);
    } finally {
      useContainer({ get: () => undefined }, { fallback: true });
    }
    expect(read({ text: 'a' })).toEqual({ text: 'a' });
  });
});
