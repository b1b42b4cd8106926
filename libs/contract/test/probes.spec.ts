import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { dtoReader, GatewayError } from '@wss/core';
import { Exclude, Expose, Transform, Type as ReadAs } from 'class-transformer';
import * as rules from 'class-validator';
import { ClassSchemas } from '../src/class-schemas.js';
import { schemaJudge } from './judges.js';

enum Level {
  Low = 1,
  High = 2,
}

class Item {
  @rules.IsString() @rules.Length(1, 3) name!: string;
}
class Circle {
  @rules.IsNumber() radius!: number;
}
class Square {
  @rules.IsNumber() side!: number;
}
class Page {
  @rules.ValidateNested({ each: true }) @ReadAs(() => Item) items!: Item[];
  @rules.IsOptional() @rules.ValidateNested() @ReadAs(() => Page) next?: Page;
}

const SHAPES = {
  discriminator: {
    property: 'kind',
    subTypes: [
      { name: 'circle', value: Circle },
      { name: 'square', value: Square },
    ],
  },
};

/** One field of each kind, all optional so that a probe names one. */
class Probed {
  @rules.IsOptional() @rules.IsString({ each: true }) words?: string[];
  @rules.IsOptional() @rules.ValidateNested({ each: true }) @ReadAs(() => Item) items?: Item[];
  @rules.IsOptional() @rules.ValidateNested() @ReadAs(() => Item) item?: Item;
  @rules.IsOptional() @rules.IsDate() @ReadAs(() => Date) at?: Date;
  @rules.IsOptional() @rules.IsEnum(Level) level?: Level;
  @rules.IsOptional() @rules.ValidateNested() @ReadAs(() => Circle, SHAPES) shape?: object;
  @rules.IsOptional() @rules.ValidateNested({ each: true }) @ReadAs(() => Circle, SHAPES) shapes?: object[];
  @rules.IsOptional() @rules.IsArray({ each: true }) grid?: unknown[][];
  @rules.IsOptional()
  @rules.IsArray({ each: true })
  @rules.ValidateNested({ each: true })
  @ReadAs(() => Item)
  rows?: Item[][];
  @rules.IsOptional() @rules.ValidateNested({ each: true }) @ReadAs(() => Item) byKey?: Map<string, Item>;
  @rules.IsOptional() @rules.IsInt({ each: true }) @ReadAs(() => Number) set?: Set<number>;
  @rules.IsOptional() @rules.IsObject() bag?: Record<string, unknown>;
  @rules.IsOptional() @rules.IsInt() @ReadAs(() => Number) count?: number;
  @rules.IsOptional() @rules.IsString() @ReadAs(() => String) text?: string;
  @rules.IsOptional() @rules.IsBoolean() @ReadAs(() => Boolean) flag?: boolean;
  @rules.IsOptional() @rules.ArrayUnique() unique?: unknown[];
  @rules.IsOptional() @rules.Length(1, 2) short?: string;
  @rules.ValidateNested() @ReadAs(() => Item) bare?: Item;
  @rules.IsOptional() @rules.IsNumber() number?: number;
  @rules.IsInt() given = 5;
  @rules.IsOptional() @Expose({ name: 'outside' }) @rules.IsInt() inside?: number;
  @rules.IsOptional() @rules.ValidateNested() @ReadAs(() => Page) page?: Page;
  @rules.IsOptional() @rules.Matches(/^[a-c]+$/i) letters?: string;
  @rules.IsOptional() @rules.IsNotEmptyObject() full?: object;
  @rules.IsOptional() @rules.ValidateNested() own?: Item;
}

const item = { name: 'a' };

/** Data and the one right verdict; the first seven kinds are those in which server and schema once differed. */
const PROBES: readonly (readonly [data: Record<string, unknown>, right: boolean])[] = [
  [{ words: 'a' }, false],
  [{ items: item }, false],
  [{ at: 0 }, false],
  [{ at: true }, false],
  [{ items: [null] }, false],
  [{ level: 'Low' }, false],
  [{ shape: { kind: 'circle', side: 1 } }, false],
  [{ words: [] }, true],
  [{ words: ['a'] }, true],
  [{ words: [['a']] }, false],
  [{ words: null }, true],
  [{ words: { 0: 'a' } }, false],
  [{ items: [item, item] }, true],
  [{ items: [[item]] }, false],
  [{ items: [] }, true],
  [{ items: ['a'] }, false],
  [{ item }, true],
  [{ item: [item] }, false],
  [{ item: [] }, false],
  [{ item: {} }, false],
  [{ item: { name: 'a', more: 1 } }, true],
  [{ bare: null }, false],
  [{ bare: item }, true],
  [{ at: '2026-01-31T10:00:00Z' }, true],
  [{ at: '2026-01-31' }, true],
  [{ at: '2026-02-29' }, false],
  [{ at: '2024-02-29' }, true],
  [{ at: '31 January 2026' }, false],
  [{ at: '2026-01-31T10:00:00' }, false],
  [{ at: '0' }, false],
  [{ at: [] }, false],
  [{ level: 1 }, true],
  [{ level: 3 }, false],
  [{ level: '1' }, false],
  [{ shape: { kind: 'circle', radius: 1 } }, true],
  [{ shape: { kind: 'oval', radius: 1 } }, false],
  [{ shape: { radius: 1 } }, false],
  [{ shape: { kind: 'constructor' } }, false],
  [{ shapes: [{ kind: 'square', side: 1 }, { kind: 'circle', radius: 1 }] }, true],
  [{ shapes: [{ kind: 'square', radius: 1 }] }, false],
  [{ shapes: { kind: 'circle', radius: 1 } }, false],
  [{ grid: [[1], []] }, true],
  [{ grid: [1] }, false],
  [{ grid: [null] }, false],
  [{ rows: [[item], []] }, true],
  [{ rows: [item] }, false],
  [{ rows: [[[item]]] }, false],
  [{ rows: [[null]] }, false],
  [{ byKey: { a: item } }, true],
  [{ byKey: { a: null } }, false],
  [{ byKey: [item] }, false],
  [{ set: [1, 1] }, true],
  [{ set: ['1'] }, false],
  [{ set: { size: 1 } }, false],
  [{ bag: {} }, true],
  [{ bag: [] }, false],
  [{ count: '1' }, false],
  [{ count: 1 }, true],
  [{ text: 1 }, false],
  [{ flag: 'false' }, false],
  [{ flag: 0 }, false],
  [{ unique: [{}, {}] }, false],
  [{ unique: [{ a: 1, b: 2 }, { b: 2, a: 1 }] }, false],
  [{ unique: [1, '1', [1], ['1']] }, true],
  [{ short: '😀😀' }, true],
  [{ short: '❤️❤️' }, false],
  [{ short: '\ud83d\ud83d' }, true],
  [{ number: 1e300 }, true],
  [{ given: null }, false],
  [{ outside: 1 }, true],
  [{ outside: '1' }, false],
  [{ page: { items: [item], next: { items: [], next: null } } }, true],
  [{ page: { items: [], next: { items: [null] } } }, false],
  [{ letters: 'aBc' }, true],
  [{ letters: 'd' }, false],
  [{ full: {} }, false],
  [{ own: { name: 5 } }, false],
  [{}, true],
];

describe('the server and the schema that it publishes', () => {
  const schemas = new ClassSchemas();
  const ref = schemas.referTo(Probed, 'received');
  const allowed = schemaJudge(ref, schemas.all());
  const read = dtoReader(Probed as Type<object>);

  it.each(PROBES.map(([data, right]) => [JSON.stringify(data), right] as const))('judge %s alike', (json, right) => {
    expect(allowed(JSON.parse(json))).toBe(right);
    const verdict = verdictOf(() => read(JSON.parse(json)));
    expect(verdict).toEqual(right ? 'taken' : { code: 'invalid', named: true });
  });

  it('refuse a number that JSON can write and nothing can hold', () => {
    expect(verdictOf(() => read(JSON.parse('{"number":1e400}')))).toEqual({ code: 'invalid', named: true });
  });

  it('take a field that is transformed as the function gives it', () => {
    class Trimmed {
      @rules.Length(1, 3) @Transform(({ value }) => (value as string).trim()) text!: string;
    }
    const own = new ClassSchemas();
    own.referTo(Trimmed, 'received');
    expect(own.all().Trimmed!.properties!.text).toEqual({
      description: 'is transformed before its rules are checked',
      $comment: '["is transformed before its rules are checked"]',
    });
    expect(verdictOf(() => dtoReader(Trimmed)({ text: '  abc  ' }))).toBe('taken');
  });
});

/** Classes of which some data once was judged otherwise by the server than by the schema. */
describe('a class', () => {
  class Named {
    @rules.Length(1, 3) name = '';
  }
  class Filled {
    @rules.ValidateNested() @ReadAs(() => Named) none = new Named();
    @rules.ValidateNested({ each: true }) @ReadAs(() => Named) some = [Object.assign(new Named(), { name: 'a' })];
  }
  class Wrong {
    @rules.IsOptional() @rules.IsInt() given: unknown = 'x';
    @rules.IsOptional() @rules.IsInt() none: unknown = null;
  }
  class Listed {
    @rules.ValidateBy({ name: 'own', validator: { validate: () => true } }) all!: string[];
  }
  class Ranged {
    @rules.Matches(/^[0-z]+$/i) text!: string;
  }
  class Whole {
    @rules.ValidateNested()
    @ReadAs(() => Named, { discriminator: { property: 'kind', subTypes: [] } })
    one!: Named;
  }

  it.each([
    [Filled, {}, false],
    [Filled, { none: { name: 'a' } }, true],
    [Filled, { none: { name: 'a' }, some: null }, false],
    [Wrong, {}, false],
    [Wrong, { given: null }, true],
    [Listed, { all: [] }, true],
    [Listed, { all: 'a' }, false],
    [Listed, { all: {} }, false],
    [Ranged, { text: 'aZ_' }, true],
    [Whole, { one: { name: 'a' } }, true],
    [Whole, { one: { name: '' } }, false],
  ] as const)('%p is judged alike: %j', (type, data, right) => {
    const schemas = new ClassSchemas();
    expect(schemaJudge(schemas.referTo(type as Type<object>, 'received'), schemas.all())(data)).toBe(right);
    expect(verdictOf(() => dtoReader(type as Type<object>)(data)) === 'taken').toBe(right);
  });

  it('says in words that rules ask for what no data set', () => {
    class Hidden {
      @rules.IsString() @Exclude() secret!: string;
      @rules.IsInt() a!: number;
      @rules.IsInt() get sum(): number {
        return this.a + 0.5;
      }
    }
    rules.IsInt()(Hidden.prototype, Symbol('mark') as never);
    const schemas = new ClassSchemas();
    schemas.referTo(Hidden, 'received');
    expect(schemas.all().Hidden).toEqual({
      type: 'object',
      description: 'is checked by rules of what no data set: secret, sum, Symbol(mark)',
      $comment: '["is checked by rules of what no data set: secret, sum, Symbol(mark)"]',
      properties: { a: { type: 'integer' } },
      required: ['a'],
    });
  });

  it('is named when its constructor needs arguments', () => {
    class Needy {
      @rules.IsInt() a: number;
      constructor(from: { a: number }) {
        this.a = from.a;
      }
    }
    expect(() => dtoReader(Needy as never)).toThrow(/^Needy can't be read: its constructor must do without arguments/);
  });

  it('judges each text anew by a sticky pattern', () => {
    class Sticky {
      @rules.Matches(/ab/y) text!: string;
    }
    const read = dtoReader(Sticky);
    const verdicts = ['ab', 'ab', 'xab', 'ab'].map((text) => verdictOf(() => read({ text })) === 'taken');
    expect(verdicts).toEqual([true, true, false, true]);
  });
});

function verdictOf(read: () => unknown): unknown {
  try {
    read();
    return 'taken';
  } catch (error) {
    const { code, details } = error as GatewayError;
    return { code, named: details?.every(({ path, message }) => path !== '' && message !== '') };
  }
}
