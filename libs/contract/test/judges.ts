import { Ajv2020 } from 'ajv/dist/2020.js';
import ts from 'typescript';
import type { AppContract } from '../src/contract.js';
import type { JsonSchema, Schemas } from '../src/json-schema.js';
import { toTypeMap } from '../src/type-map.js';

/** A judge by a JSON Schema, as another library understands it. */
export function schemaJudge(schema: JsonSchema, schemas: Schemas): (data: unknown) => boolean {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, ownProperties: true, logger: false });
  const judge = ajv.compile({ ...schema, components: { schemas } });
  return (data) => judge(withoutProto(data));
}

/** The key that the protocol drops. */
function withoutProto(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProto);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__');
  return Object.fromEntries(entries.map(([key, field]) => [key, withoutProto(field)]));
}

/** The part of a schema that a type of TypeScript says. */
export function typePart(schema: JsonSchema): JsonSchema {
  const { $ref, type, enum: values, properties, required, items, additionalProperties, anyOf, allOf, not } = schema;
  const types = typeof type === 'string' ? [type] : type;
  return {
    ...($ref !== undefined && { $ref }),
    ...(types && { type: types.map((each) => (each === 'integer' ? 'number' : each)) }),
    ...(values && { enum: values }),
    ...(properties && { properties: partsOf(properties) }),
    ...(required && { required }),
    ...(items && { items: typePart(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: typePart(additionalProperties) }),
    ...(anyOf && !types && { anyOf: anyOf.map(typePart) }),
    ...(allOf && !types && { allOf: allOf.map(typePart) }),
    ...(not && Object.keys(not).length === 0 && { not }),
  };
}

/** The same of several. */
export function partsOf(schemas: Schemas): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, typePart(schema)]));
}

/** Data that a type is expected to allow or refuse. */
export interface TypeCase {
  readonly command: string;
  readonly data: unknown;
  readonly allowed: boolean;
}

/** Lists the cases in which the compiler judges otherwise. */
export function compilerDisagrees(contract: AppContract, cases: readonly TypeCase[]): string[] {
  const lines = cases.map(
    ({ command, data, allowed }, i) =>
      `const v${i} = ${JSON.stringify(data)}${data === null ? '' : ' as const'}; export const r${i}: Is<typeof v${i}, WssContract['commands']['${command}']['data']> = ${allowed};`,
  );
  const source = `${toTypeMap(contract)}\ntype Is<V, T> = [V] extends [T] ? true : false;\n${lines.join('\n')}`;
  const found = diagnostics(source);
  return found.map(({ text, line }) => `${text}\n${source.split('\n')[line] ?? ''}`);
}

function diagnostics(source: string): { text: string; line: number }[] {
  const options: ts.CompilerOptions = { strict: true, noEmit: true, lib: ['lib.es5.d.ts'], types: [] };
  const host = ts.createCompilerHost(options);
  const file = ts.createSourceFile('cases.ts', source, ts.ScriptTarget.ES2022, true);
  const original = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) => (name === 'cases.ts' ? file : original(name, ...rest));
  const program = ts.createProgram(['cases.ts'], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start }) => ({
    text: ts.flattenDiagnosticMessageText(messageText, ' '),
    line: file.getLineAndCharacterOfPosition(start ?? 0).line,
  }));
}
