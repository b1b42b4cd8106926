import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../src', import.meta.url));

/** Packages that the published part may import: the server's own, and those that they need themselves. */
const ALLOWED = /^(@wss\/(client|core|nest|protocol|redis|state)|@nestjs\/(common|core)|ioredis|ws)$/;
/** Packages that it imports only when a test asks for them. */
const ON_DEMAND = ['@nestjs/testing'];

interface Imports {
  /** Files of the published part. */
  readonly files: Set<string>;
  /** Packages that are loaded with it, without types and Node's own. */
  readonly packages: Set<string>;
  /** Packages that are imported by a call. */
  readonly onDemand: Set<string>;
}

function importsOf(file: string, all: Imports): Imports {
  if (all.files.has(file)) return all;
  all.files.add(file);
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest);
  const add = (name: string, packages: Set<string>): void => {
    if (name.startsWith('.')) importsOf(join(dirname(file), name).replace(/\.js$/, '.ts'), all);
    else if (!isBuiltin(name)) packages.add(name);
  };
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) && !node.importClause?.isTypeOnly) ||
      (ts.isExportDeclaration(node) && !node.isTypeOnly)
    ) {
      if (node.moduleSpecifier) add((node.moduleSpecifier as ts.StringLiteral).text, all.packages);
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [name] = node.arguments;
      if (name && ts.isStringLiteral(name)) add(name.text, all.onDemand);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return all;
}

const found = importsOf('published/index.ts', {
  files: new Set(),
  packages: new Set(),
  onDemand: new Set(),
});

it('needs no test runner, no HTTP platform and nothing of the repository beside the server', () => {
  expect([...found.packages].filter((name) => !ALLOWED.test(name))).toEqual([]);
  expect([...found.onDemand]).toEqual(ON_DEMAND);
});

it('has nothing that is for our own tests alone', () => {
  const folders = new Set([...found.files].map((file) => file.split('/')[0]));
  expect([...folders].sort()).toEqual([
    'clients',
    'features',
    'lifetimes.ts',
    'network',
    'processes',
    'published',
    'servers',
    'waiting',
  ]);
});
