import { expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryEngine } from '@wss/state';
import ts from 'typescript';

/** The version of snapshots, and the form of the tables that they hold. */
const KNOWN = { format: 'wss engine 3', form: '574400be4cf49279' };
const REMEDY =
  'what a table of the embedded engine keeps has changed: raise FORMAT in snapshot.memory.ts unless data of the old form are still read right, and write the new form here';

type Declaration = ts.InterfaceDeclaration | ts.TypeAliasDeclaration | ts.ClassDeclaration;

const declarations = new Map(['protocol', 'state', 'cluster'].flatMap(declarationsOf));
const printer = ts.createPrinter({ removeComments: true });

it('a change of what the embedded engine keeps is a new version of its snapshots', () => {
  const head = Buffer.from(new MemoryEngine().snapshot()).toString('latin1', 0, 64);
  const texts = new Map<string, string>();
  for (const [name, declaration] of declarations) if (isTable(declaration)) addForm(name, texts);
  expect([...texts.keys()]).toEqual(expect.arrayContaining(['SessionTable', 'MemoryRoom', 'LogEntry']));
  const form = createHash('sha256')
    .update(JSON.stringify([...texts].sort()))
    .digest('hex')
    .slice(0, 16);
  expect({ remedy: REMEDY, format: head.split(' ').slice(0, 3).join(' '), form }).toEqual({
    remedy: REMEDY,
    ...KNOWN,
  });
});

function declarationsOf(library: string): [string, Declaration][] {
  const folder = `libs/${library}/src`;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .sort()
    .flatMap((path) => {
      const text = readFileSync(join(folder, path), 'utf8');
      return ts
        .createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
        .statements.filter(isDeclaration)
        .map((node): [string, Declaration] => [node.name!.text, node]);
    });
}

function isDeclaration(node: ts.Node): node is Declaration {
  return (
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    (ts.isClassDeclaration(node) && node.name !== undefined)
  );
}

function isTable(node: Declaration): boolean {
  return (
    ts.isClassDeclaration(node) &&
    node.heritageClauses?.[0]?.getText().startsWith('extends MemoryTable<') === true
  );
}

/** Adds the data of a type, and of those that it names. */
function addForm(name: string, texts: Map<string, string>): void {
  const node = declarations.get(name);
  if (!node || texts.has(name)) return;
  const parts = ts.isClassDeclaration(node)
    ? [...(node.heritageClauses ?? []), ...node.members.filter(ts.isPropertyDeclaration)]
    : [node];
  const file = node.getSourceFile();
  texts.set(name, parts.map((part) => printer.printNode(ts.EmitHint.Unspecified, part, file)).join('\n'));
  const visit = (part: ts.Node): void => {
    if (ts.isTypeReferenceNode(part)) addForm(part.typeName.getText(), texts);
    ts.forEachChild(part, visit);
  };
  parts.forEach(visit);
}
