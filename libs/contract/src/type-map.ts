import type { CommandContract, AppContract, DocumentContract, EventContract, RoomContract } from './contract.js';
import { type JsonSchema, type Schemas } from './json-schema.js';
import { commentOf, fieldsOf, key, typeOf } from './schema-types.js';

type TypeName = (ref: string) => string;

/**
 * TypeScript source of the contract for the client SDK: `new WssClient<WssContract>(url)` then takes only events,
 * data and documents that the server knows. The source imports nothing.
 * @param maker the command that its first line names
 */
export function toTypeMap(contract: AppContract, maker = 'npm run contract'): string {
  const nameOf = typeNames(contract.schemas);
  const parts = [
    `// Made by "${maker}" from the decorated handlers. Do not edit.`,
    ...Object.entries(contract.schemas).map(([name, schema]) => declaration(nameOf(name), schema, nameOf)),
    mapOf(contract, nameOf),
  ];
  return `${parts.join('\n\n')}\n`;
}

function mapOf({ commands, events, rooms }: AppContract, nameOf: TypeName): string {
  const lines = [
    '/** The commands that the server takes and the events that it sends. */',
    'export interface WssContract {',
    ...block(
      'commands',
      commands.map((each) => commandLine(each, nameOf)),
    ),
    ...block(
      'events',
      events.map((each) => eventLine(each, nameOf)),
    ),
    '  readonly rooms: {',
    ...rooms.flatMap((room) => roomLines(room, nameOf)),
    '  };',
    '}',
  ];
  return lines.join('\n');
}

function roomLines({ type, commands, events, documents }: RoomContract, nameOf: TypeName): string[] {
  return [
    `    readonly ${key(type)}: {`,
    ...block(
      'commands',
      commands.map((each) => commandLine(each, nameOf)),
      3,
    ),
    ...block(
      'events',
      events.map((each) => eventLine(each, nameOf)),
      3,
    ),
    ...block(
      'documents',
      documents.map((each) => documentLine(each, nameOf)),
      3,
    ),
    '    };',
  ];
}

/** An empty block has no names at all; an index signature would allow every name. */
function block(name: string, lines: readonly string[], depth = 1): string[] {
  const indent = '  '.repeat(depth);
  if (lines.length === 0) return [`${indent}readonly ${name}: {};`];
  return [`${indent}readonly ${name}: {`, ...lines.map((line) => `${indent}  ${line}`), `${indent}};`];
}

function commandLine({ event, data, reply = {} }: CommandContract, nameOf: TypeName): string {
  return `readonly ${key(event)}: { readonly data: ${typeOf(data, nameOf)}; readonly reply: ${typeOf(reply, nameOf)} };`;
}

function eventLine({ event, data }: EventContract, nameOf: TypeName): string {
  return `readonly ${key(event)}: ${typeOf(data, nameOf)};`;
}

function documentLine({ name, value }: DocumentContract, nameOf: TypeName): string {
  return `readonly ${key(name)}: ${typeOf(value, nameOf)};`;
}

function declaration(name: string, schema: JsonSchema, nameOf: TypeName): string {
  const fields = fieldsOf(schema, nameOf);
  const comment = commentOf(schema);
  if (schema.type !== 'object' || fields.length === 0)
    return [...comment, `export type ${name} = ${typeOf(schema, nameOf)};`].join('\n');
  return [...comment, `export interface ${name} {`, ...fields, '}'].join('\n');
}

/** Names of components as names of types, made unique. */
function typeNames(schemas: Schemas): TypeName {
  const names = new Map<string, string>();
  const taken = new Set(['WssContract']);
  for (const ref of Object.keys(schemas)) {
    const base = pascal(ref);
    let name = base;
    for (let i = 2; taken.has(name); i++) name = `${base}${i}`;
    taken.add(name);
    names.set(ref, name);
  }
  return (ref) => names.get(ref)!;
}

function pascal(name: string): string {
  const joined = name
    .split(/[^A-Za-z0-9$]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
  return /^[0-9]/.test(joined) || joined === '' ? `_${joined}` : joined;
}
