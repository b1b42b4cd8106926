import { describe, expect, it } from '@jest/globals';
import { Expose, Type } from 'class-transformer';
import {
  Allow,
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  Contains,
  Equals,
  IsArray,
  IsBoolean,
  IsDivisibleBy,
  IsEmail,
  IsEnum,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsNumber,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  IsUrl,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  Validate,
  ValidateIf,
  ValidateNested,
  ValidatorConstraint,
} from 'class-validator';
import { breakingChanges } from '../src/compatibility/compatibility.js';
import { ClassSchemas } from '../src/class-schemas.js';
import type { JsonSchema } from '../src/json-schema.js';
import { SchemaNames } from '../src/schema-names.js';

enum Level {
  Low = 1,
  High = 2,
}

class Item {
  @IsString()
  @Length(1, 5)
  name!: string;
}

class Rules {
  @IsInt() @Min(0) @Max(9) whole!: number;
  @Min(0) @IsInt() other!: number;
  @IsNumber() @Max(1.5) real!: number;
  @IsInt() @IsPositive() @IsDivisibleBy(5) step!: number;
  @IsString() @Length(2, 4) text!: string;
  @IsNotEmpty() @IsString() @MaxLength(8) filled!: string;
  @IsBoolean() flag!: boolean;
  @IsEnum(Level) level!: Level;
  @IsIn(['a', 'b']) choice!: string;
  @IsIn([1, 'x']) mixed!: number | string;
  @Equals('yes') fixed!: string;
  @IsUUID() uuid!: string;
  @IsEmail() mail!: string;
  @IsUrl() link!: string;
  @Matches(/^[a-z]+$/) lower!: string;
  @Matches(/^[a-z]+$/i) anyCase!: string;
  @Contains('a.b') dotted!: string;
  @IsArray() @IsString({ each: true }) @MaxLength(3, { each: true }) @ArrayMaxSize(7) tags!: string[];
  @ArrayMinSize(1) @ArrayUnique() @ValidateNested({ each: true }) @Type(() => Item) items!: Item[];
  @IsObject() @ValidateNested() @Type(() => Item) one!: Item;
  @IsOptional() @IsString() maybe?: string;
  @IsOptional() @IsIn(['a']) maybeOne?: string;
  @IsOptional() @ValidateNested() @Type(() => Item) maybeItem?: Item;
  @ValidateNested() @Type(() => Item) unchecked?: Item;
  @Allow() free?: unknown;
  @ValidateIf(() => true) @IsString() sometimes?: string;
}

/** A rule that only words tell. */
const told = (rule: string): JsonSchema => ({ description: rule, $comment: JSON.stringify([rule]) });
const schemas = new ClassSchemas();
schemas.referTo(Rules, 'received');
const all = schemas.all();
const rules = all.Rules as JsonSchema;
const item = { $ref: '#/components/schemas/Item' };

describe('rules of a class', () => {
  it.each<[keyof Rules, JsonSchema]>([
    ['whole', { type: 'integer', minimum: 0, maximum: 9 }],
    ['other', { type: 'integer', minimum: 0 }],
    ['real', { type: 'number', maximum: 1.5 }],
    ['step', { type: 'integer', exclusiveMinimum: 0, multipleOf: 5 }],
    ['text', { type: 'string', minLength: 2, maxLength: 4 }],
    ['filled', { type: 'string', minLength: 1, maxLength: 8 }],
    ['flag', { type: 'boolean' }],
    ['level', { type: 'number', enum: [1, 2] }],
    ['choice', { type: 'string', enum: ['a', 'b'] }],
    ['mixed', { type: ['number', 'string'], enum: [1, 'x'] }],
    ['fixed', { type: 'string', enum: ['yes'] }],
    ['mail', { type: 'string', ...told('an email address') }],
    ['link', { type: 'string', ...told('a URL') }],
    ['lower', { type: 'string', pattern: '^[a-z]+$' }],
    ['anyCase', { type: 'string', pattern: '^[A-Za-z]+$' }],
    ['dotted', { type: 'string', pattern: 'a\\.b' }],
    ['tags', { type: 'array', items: { type: 'string', maxLength: 3 }, maxItems: 7 }],
    ['items', { type: 'array', items: item, minItems: 1, uniqueItems: true }],
    ['one', item],
    ['maybe', { type: ['string', 'null'] }],
    ['maybeOne', { type: ['string', 'null'], enum: ['a', null] }],
    ['maybeItem', { anyOf: [item, { type: 'null' }] }],
    ['unchecked', item],
    ['free', {}],
    ['sometimes', told('has rules under a condition')],
  ])('of %s are in its schema', (name, schema) => {
    expect(rules.properties![name]).toEqual(schema);
  });

  it('say which fields may be absent', () => {
    const optional = ['maybe', 'maybeOne', 'maybeItem', 'unchecked', 'free', 'sometimes'];
    expect(Object.keys(rules.properties!).filter((name) => !rules.required!.includes(name)).sort()).toEqual(
      optional.sort(),
    );
  });

  it('bring the classes that they refer to', () => {
    expect(all.Item).toEqual({
      type: 'object',
      properties: { name: { type: 'string', minLength: 1, maxLength: 5 } },
      required: ['name'],
    });
  });

  it('are inherited', () => {
    class Base {
      @IsString() id!: string;
    }
    class Derived extends Base {
      @IsInt() count!: number;
    }
    class Renamed extends Base {}
    const own = new ClassSchemas();
    own.referTo(Derived, 'received');
    own.referTo(Renamed, 'received');
    const found = own.all();
    expect(found.Derived).toMatchObject({ required: expect.arrayContaining(['id', 'count']) });
    expect(found.Renamed).toMatchObject({ properties: { id: { type: 'string' } } });
  });
});

describe('classes that share a name', () => {
  const first = ((): new () => object => {
    class Add {
      @IsString() text!: string;
    }
    return Add;
  })();
  const second = ((): new () => object => {
    class Add {
      @IsInt() by!: number;
    }
    return Add;
  })();

  it('are told apart by the event that uses them', () => {
    const names = new SchemaNames();
    names.mention(first, 'board.add');
    names.mention(second, 'counter.add');
    const own = new ClassSchemas(names.resolved());
    own.referTo(first, 'received');
    own.referTo(second, 'received');
    expect(own.all()).toMatchObject({
      'Add-board.add': { properties: { text: { type: 'string' } } },
      'Add-counter.add': { properties: { by: { type: 'integer' } } },
    });
  });

  it('are told apart by a number where only other classes mention them', () => {
    const own = new ClassSchemas();
    expect([own.referTo(first, 'received'), own.referTo(second, 'received'), own.referTo(first, 'received')]).toEqual([
      { $ref: '#/components/schemas/Add' },
      { $ref: '#/components/schemas/Add-2' },
      { $ref: '#/components/schemas/Add' },
    ]);
  });
});

describe('schemas of what is received and of what is sent', () => {
  class Named {
    @Expose({ name: 'called' }) @IsString() name!: string;
    @IsInt() count = 0;
  }
  class Holder {
    @ValidateNested() one!: Named;
  }

  it('are one where they are the same', () => {
    const own = new ClassSchemas();
    expect(own.referTo(Item, 'received')).toEqual(own.referTo(Item, 'sent'));
  });

  it('are two where a class, or one that it leads to, differs', () => {
    const own = new ClassSchemas();
    own.referTo(Holder, 'received');
    own.referTo(Holder, 'sent');
    expect(own.all()).toEqual({
      Holder: { type: 'object', properties: { one: { $ref: '#/components/schemas/Named' } } },
      'Holder-sent': { type: 'object', properties: { one: { $ref: '#/components/schemas/Named-sent' } } },
      Named: {
        type: 'object',
        properties: { called: { type: 'string' }, count: { type: 'integer' } },
        required: ['called'],
      },
      'Named-sent': {
        type: 'object',
        properties: { name: { type: 'string' }, count: { type: 'integer' } },
        required: ['name', 'count'],
      },
    });
  });
});

describe('a generic class', () => {
  function pageOf(element: new () => object): new () => object {
    class Page {
      @ValidateNested({ each: true }) @Type(() => element) items!: object[];
    }
    return Page;
  }

  it('has a schema for each of its uses', () => {
    const own = new ClassSchemas();
    own.referTo(pageOf(Item), 'sent');
    own.referTo(pageOf(Rules), 'sent');
    const elements = ['Page', 'Page-2'].map((name) => own.all()[name]!.properties!.items!.items!.$ref);
    expect(elements).toEqual(['#/components/schemas/Item', '#/components/schemas/Rules']);
  });
});

describe('a union by a discriminator', () => {
  class Cat {
    @IsInt() lives!: number;
  }
  class Dog {
    @IsString() kind!: string;
    @IsOptional() @ValidateNested({ each: true }) @Type(() => Cat, animals()) friends?: object[];
  }
  class Owner {
    @ValidateNested() @Type(() => Cat, animals()) pet!: object;
  }

  it('is each of its classes with the value that names it', () => {
    const own = new ClassSchemas();
    own.referTo(Owner, 'received');
    own.referTo(Cat, 'received');
    const all = own.all();
    const pet = { anyOf: [{ $ref: '#/components/schemas/Cat-cat' }, { $ref: '#/components/schemas/Dog' }] };
    expect(all.Owner!.properties!.pet).toEqual(pet);
    expect(all['Cat-cat']).toEqual({
      type: 'object',
      properties: { kind: { type: 'string', enum: ['cat'] }, lives: { type: 'integer' } },
      required: ['kind', 'lives'],
    });
    expect(all.Dog!.properties!.friends).toMatchObject({ type: ['array', 'null'], items: pet });
    expect(all.Cat!.required).toEqual(['lives']);
  });

  it('shows the check a field that one of its classes lost, and one that it demands', () => {
    const contractOf = (dog: new () => object) => {
      class Walk {
        @ValidateNested()
        @Type(() => Cat, { discriminator: { property: 'kind', subTypes: [{ name: 'dog', value: dog }] } })
        pet!: object;
      }
      const own = new ClassSchemas();
      const data = own.referTo(Walk, 'received');
      return { commands: [{ event: 'walk', data }], events: [], rooms: [], schemas: own.all() };
    };
    class Before {
      @IsOptional() @IsString() toy?: string;
    }
    class After {
      @IsString() leash!: string;
    }
    const found = breakingChanges(contractOf(Before), contractOf(After)).map(({ field }) => field);
    expect(found.sort()).toEqual(['pet.leash', 'pet.toy']);
  });

  it('shows the check a rule of a class that only words tell', () => {
    const contractOf = (type: new () => object) => {
      const own = new ClassSchemas();
      const data = own.referTo(type, 'received');
      return { commands: [{ event: 'mail.send', data }], events: [], rooms: [], schemas: own.all() };
    };
    class Before {
      @IsOptional() @IsString() to?: string;
      @ValidateNested() @Type(() => Cat) cat!: object;
    }
    class Lucky {
      validate(value: unknown): boolean {
        return value !== 13;
      }
    }
    ValidatorConstraint({ name: 'lucky' })(Lucky);
    class After {
      @IsOptional() @IsUrl() @IsEmail() to?: string;
      @Validate(Lucky) @ValidateNested() @Type(() => Cat) cat!: object;
    }
    const found = breakingChanges(contractOf(Before), contractOf(After)).map(({ field }) => field);
    expect([...new Set(found)].sort()).toEqual(['cat', 'to']);
    expect(breakingChanges(contractOf(After), contractOf(Before))).toEqual([]);
    expect(breakingChanges(contractOf(After), contractOf(After))).toEqual([]);
  });

  function animals() {
    return {
      discriminator: {
        property: 'kind',
        get subTypes() {
          return [
            { name: 'cat', value: Cat },
            { name: 'dog', value: Dog },
          ];
        },
      },
    };
  }
});
