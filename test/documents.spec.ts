import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The libraries and what each may use, as lint has them. */
const { HOUSE } = (await import(pathToFileURL(`${root}tools/lint/house.mjs`).href)) as {
  HOUSE: Readonly<Record<string, { readonly uses?: readonly string[] }>>;
};

/** Words whose one meaning stands in the glossary. */
const WORDS = [
  'batch birth call client command commit document entry epoch fence generation hold incarnation lane lease lineage',
  'log node position record recorder revocation room session slot standing turn user watermark writer_queue',
]
  .join(' ')
  .split(' ')
  .map((word) => word.replace('_', ' '));

/** Every file and folder of the repository, by its path from the root. */
const paths = new Set(
  ['apps', 'bench', 'contract', 'docker', 'docs', 'libs', 'scripts', 'test', 'tools'].flatMap(within),
);
for (const { name } of readdirSync(root, { withFileTypes: true })) paths.add(name);

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...[...paths].filter((path) => /^docs\/.*\.md$/.test(path)),
  'libs/client/README.md',
];
const read = (document: string): string => readFileSync(`${root}${document}`, 'utf8');

describe('the documents', () => {
  it.each(documents)('%s names files and folders that exist', (document) => {
    const named = [...filesIn(read(document)), ...foldersIn(read(document))];
    expect(named.filter((path) => !exists(path))).toEqual([]);
  });

  it.each(documents)('%s links to files and headings that exist', (document) => {
    const broken = [...prose(read(document)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target) && !leads(document, target));
    expect(broken).toEqual([]);
  });

  it('ARCHITECTURE.md and docs/glossary.md name classes and methods that exist', () => {
    const known = declaredNames();
    const unknown = ['ARCHITECTURE.md', 'docs/glossary.md'].flatMap((document) =>
      namesIn(read(document)).filter((name) => !known.has(name)),
    );
    expect(unknown).toEqual([]);
  });

  it('ARCHITECTURE.md lists the folders of the libraries and of the gateway', () => {
    const listed = new Set(
      [...read('ARCHITECTURE.md').matchAll(/^\| `([^`]+\/src\/[a-z]+)` \|/gm)].map(([, path]) => path!),
    );
    const folders = [...paths].filter((path) => /^(libs|apps)\/[^/]+\/src\/[^/.]+$/.test(path));
    expect([...listed].sort()).toEqual(folders.sort());
  });
});

describe('the table of libraries in ARCHITECTURE.md', () => {
  it('has the libraries and imports of tools/lint/house.mjs', () => {
    const rows = [...read('ARCHITECTURE.md').matchAll(/^\| `([a-z]+)` \| [^|]* \| ([^|]*) \|$/gm)];
    const listed = rows.map(([, lib, uses]) => [`libs/${lib}`, (uses!.match(/[a-z]+(?=`)/g) ?? []).sort()]);
    const houses = Object.entries(HOUSE).filter(([unit]) => unit.startsWith('libs/'));
    const planned = houses.map(([unit, { uses = [] }]) => [unit, [...uses].sort()]);
    expect(listed.sort()).toEqual(planned.sort());
  });
});

describe('docs/glossary.md', () => {
  const words = [...read('docs/glossary.md').matchAll(/^\| \*\*([^*]+)\*\* \| (.*) \| (.*) \|$/gm)];

  it('has each word once', () => {
    const listed = words.map(([, word]) => word!);
    expect(listed.filter((word, index) => listed.indexOf(word) !== index)).toEqual([]);
    expect(WORDS.filter((word) => !listed.includes(word))).toEqual([]);
  });

  it('says in at most two sentences what each means, and where it lives', () => {
    const wrong = words
      .filter(([, , meaning, where]) => meaning!.split(/\. /).length > 2 || !where!.includes('`'))
      .map(([, word]) => word);
    expect(wrong).toEqual([]);
  });
});

/** Paths of everything in a folder, and of the folder itself; neither packages nor what is built. */
function within(folder: string): string[] {
  const entries = readdirSync(`${root}${folder}`, { withFileTypes: true });
  return [
    folder,
    ...entries.flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (!entry.isDirectory()) return [path];
      return ['node_modules', 'dist'].includes(entry.name) ? [] : within(path);
    }),
  ];
}

/** True if the repository has this path, or one that ends with it. */
function exists(path: string): boolean {
  if (paths.has(path)) return true;
  return [...paths].some((known) => known.endsWith(`/${path}`));
}

/** A document without its listings. */
function prose(text: string): string {
  return text.replace(/^```(?!mermaid)[^]*?^```/gm, '');
}

/** Names of files that a text says we have. The files of the feature that docs/features.md makes are not ours. */
function filesIn(text: string): string[] {
  const names =
    prose(text).match(/(?<![\w./<*:@{-])[\w-][\w./-]*\.(?:ts|mjs|lua|md|yml|cfg|json)(?![\w*/-])/g) ?? [];
  return names.filter((name) => !/^(poll|wss-contract|daemon)\./.test(name));
}

function foldersIn(text: string): string[] {
  const names = [...prose(text).matchAll(/`((?:apps|bench|docker|docs|libs|test|tools)\/[\w./-]+?)\/?`/g)];
  return names.map(([, name]) => name!).filter((name) => !name.endsWith('/poll'));
}

function leads(document: string, target: string): boolean {
  const [file = '', heading] = target.split('#');
  const path = file === '' ? document : join(dirname(document), file);
  if (!paths.has(path)) return false;
  return heading === undefined || headingsOf(read(path)).includes(heading);
}

function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  );
}

/** Names in code spans that look like a class of ours, or like a method of one. */
function namesIn(text: string): string[] {
  const spans = [...prose(text).matchAll(/`([A-Z][a-z]\w+(?:\.\w+)?)(?:\(\))?`/g)];
  return spans.map(([, name]) => name!);
}

/** Names of all classes, interfaces and types, and `Class.method` of what their files declare. */
function declaredNames(): Set<string> {
  const sources = [...paths].filter((path) => /^(libs|apps)\/.*(?<!\.spec)\.ts$/.test(path));
  const names = new Set<string>();
  for (const path of sources) {
    const text = read(path);
    const types = [...text.matchAll(/\b(?:class|interface|type) ([A-Z]\w*)/g)].map(([, name]) => name!);
    const members = [...text.matchAll(/^ {2}(?:[a-z]+ )*(?:get )?(\w+)\??[(<:]/gm)].map(([, name]) => name!);
    for (const type of types) {
      names.add(type);
      for (const member of members) names.add(`${type}.${member}`);
    }
  }
  return names;
}
