import { expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Constructions that a native speaker stumbles over: a sentence has a subject with a name. */
const STUMBLES = [
  /(?:^|[.;:!?] )(?:Who|Whoever|Whom|Whose|What|Whatever|Whether)\b[^?]*?[.;]/g,
  /\b(?:is|are) told so\b/g,
];

const files = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['apps', 'bench', 'docs', 'libs', 'scripts', 'test', 'tools'].flatMap(filesIn),
];

it('begins no sentence with a relative pronoun, in documents and in comments', () => {
  const stumbles = files.flatMap((file) =>
    proseOf(file).flatMap((text) =>
      STUMBLES.flatMap((pattern) => text.match(pattern) ?? []).map((found) => `${file}: ${found}`),
    ),
  );
  expect(stumbles).toEqual([]);
});

/** Texts and programs in a folder, without packages, builds and what older releases wrote. */
function filesIn(folder: string): string[] {
  const paths = readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' });
  return paths
    .filter((path) => /\.(md|ts|mjs|js|lua)$/.test(path))
    .filter((path) => !/(^|\/)(node_modules|dist|release-\d+)\//.test(path))
    .map((path) => `${folder}/${path}`);
}

/** The paragraphs of a document, or the comments of a program, each as one line. */
function proseOf(file: string): string[] {
  const text = readFileSync(`${root}${file}`, 'utf8');
  if (file.endsWith('.md')) {
    const prose = text.replace(/^```[^]*?^```/gm, '').replace(/^#.*$/gm, '');
    return prose.split(/\n\s*\n|\|/).map(oneLine);
  }
  const lines = file.endsWith('.lua') ? '--' : '//';
  const comments = text.match(new RegExp(`/\\*[^]*?\\*/|(?:^[ \\t]*${lines}[^\\n]*\\n)+`, 'gm')) ?? [];
  return comments.map((comment) => oneLine(comment.replace(/\*\/$|^\s*(?:\/\*\*?|\*|\/\/|--) ?/gm, '')));
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
