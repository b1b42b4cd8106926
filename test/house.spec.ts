import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { pathToFileURL } from 'node:url';
import {
  declaredTypes,
  exportsOf,
  importedFrom,
  isProduct,
  type SourceFile,
  sourceFiles,
} from './source-files.js';

interface House {
  readonly SUBPATHS: Readonly<Record<string, string>>;
  readonly HOUSE: Readonly<Record<string, { readonly floors: readonly (string | readonly string[])[] }>>;
  readonly EXCEPTIONS: readonly string[];
}
const { HOUSE, EXCEPTIONS, SUBPATHS } = (await import(pathToFileURL('tools/lint/house.mjs').href)) as House;

/** Most source files in a folder. */
const MOST_FILES = 15;
/** Part of a library's exports that somebody else uses, of 100. */
const LEAST_USED = 80;

/** Libraries that are made for others show more than this repository uses. */
const LEAST_USED_OF: Readonly<Record<string, number>> = { client: 25, nest: 35 };

const files = sourceFiles('apps', 'libs', 'test', 'bench');
const product = files.filter(isProduct);
const programs = ['bench', 'scripts', 'docs', 'README.md'].flatMap(textsUnder);

describe('the house', () => {
  it.each(Object.keys(HOUSE))('%s: each folder has its floor, and each floor its folder', (unit) => {
    const inUnit = product
      .filter(({ path }) => path.startsWith(`${unit}/src/`))
      .map(({ path }) => path.split('/').slice(3));
    const folders = new Set(inUnit.filter(({ length }) => length > 1).map(([folder]) => folder!));
    const floors = HOUSE[unit]!.floors.flat();
    expect([...folders].filter((folder) => !floors.includes(folder))).toEqual([]);
    const alone = inUnit.filter(({ length }) => length === 1).map(([file]) => file!.replace(/\.ts$/, ''));
    expect(floors.filter((floor) => !folders.has(floor) && !alone.includes(floor))).toEqual([]);
  });

  it('has a plan for each library', () => {
    const libraries = readdirSync('libs').map((library) => `libs/${library}`);
    expect(Object.keys(HOUSE).sort()).toEqual(['apps/gateway', ...libraries].sort());
  });

  it('makes no exception for a file that has gone', () => {
    const paths = new Set(product.map(({ path }) => path));
    expect(EXCEPTIONS.filter((exception) => !paths.has(exception.split(' ')[0]!))).toEqual([]);
  });

  it('names no variable of the gateway to users of the libraries without the option', () => {
    const config = files.find(({ path }) => path === 'apps/gateway/src/config.ts')!.text;
    const variables = [...config.matchAll(/readonly ([A-Z]+(?:_[A-Z]+)+)/g)].map(([, name]) => name!);
    expect(variables).toContain('REDIS_SERVER');
    const named = new RegExp(`['"\`](?!.*(?:in|of) the gateway).*\\b(?:${variables.join('|')})\\b`);
    const lines = product
      .filter(({ path }) => path.startsWith('libs/') && !path.startsWith('libs/testing/'))
      .flatMap(({ path, text }) => text.split('\n').map((line) => `${path}: ${line.trim()}`));
    expect(lines.filter((line) => named.test(line) && !/: (?:\*|\/\*\*)/.test(line))).toEqual([]);
  });

  it(`has no folder with more than ${MOST_FILES} files`, () => {
    expect(fullFolders(product)).toEqual([]);
  });

  it('gives no name to two types', () => {
    expect(namedTwice(product)).toEqual([]);
  });

  it.each(readdirSync('libs'))('%s: shows what others use, and little else', (library) => {
    const { unused, percent } = usage(library);
    const least = LEAST_USED_OF[library] ?? LEAST_USED;
    expect(percent >= least ? [] : [`${percent} % are used`, ...unused]).toEqual([]);
  });
});

describe('the checks of the house', () => {
  const at = (path: string, text: string): SourceFile => ({ path, text });

  it('find a folder that is too full', () => {
    const many = Array.from({ length: 16 }, (_, index) => at(`libs/a/src/b/f${index}.ts`, ''));
    expect(fullFolders(many)).toEqual(['libs/a/src/b']);
    expect(fullFolders(many.slice(1))).toEqual([]);
  });

  it('find a name that stands for two types, exported or not', () => {
    const two = [
      at('libs/a/src/a.ts', 'interface Cup {}'),
      at('libs/b/src/b.ts', 'export type Cup = string;'),
    ];
    expect(namedTwice(two)).toEqual(['Cup: libs/a/src/a.ts libs/b/src/b.ts']);
    expect(namedTwice([two[0]!, at('libs/b/src/b.ts', 'export class Mug {}')])).toEqual([]);
  });

  it('find what is exported', () => {
    const index = at('libs/a/src/index.ts', "export * from './b.js';\nexport { type C, d } from './c.js';\n");
    const b = at(
      'libs/a/src/b.ts',
      'export class E {}\nexport const f = 1;\nconst g = 2;\nexport function h() {}',
    );
    expect([...exportsOf(index.path, [index, b])]).toEqual(['E', 'f', 'h', 'C', 'd']);
    const user = at('test/u.ts', "import { type E, f as x } from '@wss/a';\nexport { d } from '@wss/a';");
    expect(importedFrom('@wss/a', user)).toEqual(['E', 'f', 'd']);
  });
});

function fullFolders(sources: readonly SourceFile[]): string[] {
  const sizes = new Map<string, number>();
  for (const { path } of sources) sizes.set(dirname(path), (sizes.get(dirname(path)) ?? 0) + 1);
  return [...sizes].flatMap(([folder, size]) => (size > MOST_FILES ? folder : []));
}

function namedTwice(sources: readonly SourceFile[]): string[] {
  const paths = new Map<string, Set<string>>();
  for (const { name, path } of declaredTypes(sources)) {
    paths.set(name, (paths.get(name) ?? new Set<string>()).add(path));
  }
  return [...paths].flatMap(([name, { size }]) =>
    size > 1 ? `${name}: ${[...paths.get(name)!].join(' ')}` : [],
  );
}

/** The exports of a library, and those that are used outside of it: by other code, programs and the documents. */
function usage(library: string): { readonly unused: readonly string[]; readonly percent: number } {
  const names = [...exportsOf(`libs/${library}/src/index.ts`, files)];
  const outside = files.filter(({ path }) => !path.startsWith(`libs/${library}/`));
  const entries = [`@wss/${library}`, ...Object.keys(SUBPATHS).filter((name) => SUBPATHS[name] === library)];
  const used = new Set(entries.flatMap((entry) => outside.flatMap((file) => importedFrom(entry, file))));
  const unused = names.filter(
    (name) => !used.has(name) && !programs.some((text) => new RegExp(`\\b${name}\\b`).test(text)),
  );
  return { unused, percent: Math.floor((100 * (names.length - unused.length)) / names.length) };
}

function textsUnder(path: string): string[] {
  if (/\.(mjs|md)$/.test(path)) return [readFileSync(path, 'utf8')];
  if (/\.[^/]*$|\/(node_modules|dist)$/.test(path)) return [];
  return readdirSync(path).flatMap((name) => textsUnder(join(path, name)));
}
