import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

type Declaration = ts.InterfaceDeclaration | ts.TypeAliasDeclaration;

const SOURCE = 'libs/nest/src/options/wss-options.ts';
const DOCUMENT = 'docs/nest.md';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

it(`${DOCUMENT} lists the options of WssModule as ${SOURCE} describes them`, () => {
  const source = ts.createSourceFile(SOURCE, read(SOURCE), ts.ScriptTarget.Latest, true);
  const table = ['| option | meaning |', '|---|---|', ...rowsOf(source, 'WssOptions')].join('\n');
  const [, listed] = /^## Options\n[^]*?(^\|[^]*?)\n(?!\|)/m.exec(read(DOCUMENT)) ?? [];
  expect(listed).toBe(table);
});

/** A row for each property that is described, with those of its own type after it. */
function rowsOf(source: ts.SourceFile, type: string, prefix = ''): string[] {
  return membersOf(declarationOf(source, type)).flatMap((member) => {
    const name = `${prefix}${member.name.getText()}`;
    const parts = partsOf(member);
    const comment = commentOf(member) || parts.map((part) => commentOf(declarationOf(source, part))).join('');
    const own = comment === '' ? [] : [`| \`${name}\` | ${comment} |`];
    return [...own, ...parts.flatMap((part) => rowsOf(source, part, `${name}.`))];
  });
}

function declarationOf(source: ts.SourceFile, name: string): Declaration {
  const isIt = (each: ts.Statement): each is Declaration =>
    (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) && each.name.text === name;
  return source.statements.find(isIt)!;
}

/** Properties of an interface, or of the alternatives of a type. */
function membersOf(declaration: Declaration): ts.PropertySignature[] {
  const { type } = declaration as Partial<ts.TypeAliasDeclaration>;
  const alternatives =
    type && ts.isUnionTypeNode(type) ? type.types.filter(ts.isTypeLiteralNode) : [declaration];
  return alternatives.flatMap((each) =>
    [...(each as ts.TypeLiteralNode).members].filter(ts.isPropertySignature),
  );
}

/** Types of the same file that a property has. */
function partsOf(member: ts.PropertySignature): string[] {
  return [...member.type!.getText().matchAll(/\bWss\w+/g)].map(([name]) => name);
}

function commentOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? '';
  return text
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .replaceAll('|', '\\|')
    .trim();
}
