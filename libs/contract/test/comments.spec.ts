import { expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsString, Matches, ValidateNested } from 'class-validator';
import { ClassSchemas } from '../src/class-schemas.js';
import { breakingChanges } from '../src/compatibility/compatibility.js';
import { toTypeMap } from '../src/type-map.js';

/** As the plugin of the Nest CLI compiles it. */
class Base {
  static _WSS_COMMENTS(): object {
    return { text: 'The base.', fields: { id: 'An id.', text: 'The old text.' } };
  }
  @IsString() id!: string;
}
class Plain extends Base {
  @IsString() plain!: string;
}

class Item extends Base {
  static override _WSS_COMMENTS(): object {
    return { text: 'An item.\n\nEnds */ here.', fields: { text: 'The text.', other: 'A */ nested one.' } };
  }
  @Matches(/^.a$/i) text!: string;
  @ValidateNested() @Type(() => Plain) other!: Plain;
}
const schemas = ((): ClassSchemas => {
  const own = new ClassSchemas();
  own.referTo(Item, 'received');
  return own;
})().all();

it('brings the doc comments of classes and fields, also of classes that they extend', () => {
  expect(schemas.Item).toMatchObject({
    description: 'An item.\n\nEnds */ here.',
    properties: { id: { description: 'An id.' }, other: { description: 'A */ nested one.' } },
  });
  expect(schemas.Item!.properties!.text!.description).toMatch(/^The text\.\n\n.*\/i/);
  expect(schemas.Plain!.description).toBeUndefined();
  expect(schemas.Plain!.properties).toMatchObject({ id: { description: 'An id.' }, plain: { type: 'string' } });
});

it('writes them into the types, and never out of a comment', () => {
  const text = toTypeMap({ commands: [], events: [], rooms: [], schemas });
  expect(text).toContain('/**\n * An item.\n *\n * Ends *\\/ here.\n */\nexport interface Item {\n');
  expect(text).toContain('  /** An id. */\n  readonly id: string;\n');
  expect(text.replace(/\/\*\*[^]*?\*\//g, '')).not.toContain('here');
});

it('breaks nobody by other words', () => {
  const data = { $ref: '#/components/schemas/Item' };
  const contract = (own: typeof schemas) => ({ commands: [{ event: 'do.it', data }], events: [], rooms: [], schemas: own });
  const others = JSON.parse(
    JSON.stringify(schemas, (key, value: unknown) => (key === 'description' ? 'other' : value)),
  ) as typeof schemas;
  expect(breakingChanges(contract(schemas), contract(others))).toEqual([]);
});
