import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Rule {
  readonly name: string;
  readonly built: boolean;
  /** Files with tests that attack it. */
  readonly tests: readonly string[];
}

const rules = readFileSync(`${root}docs/rules.md`, 'utf8')
  .split(/^### /m)
  .slice(1)
  .map((text): Rule => ({
    name: /^R\d+/.exec(text)![0],
    built: !text.includes('*Not built yet.*'),
    tests: [...(/^Test: ([^]*)/m.exec(text)?.[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
  }));

describe('docs/rules.md', () => {
  it('holds R1 to R42, each once and in order', () => {
    expect(rules.map(({ name }) => name)).toEqual(Array.from({ length: 42 }, (_, index) => `R${index + 1}`));
  });

  it('names a test for each rule that is built, and the test cites the rule', () => {
    const wrong = rules
      .filter(({ built }) => built)
      .flatMap(({ name, tests }) => {
        if (tests.length === 0) return [`${name}: no test`];
        return tests.filter((file) => !cites(file, name)).map((file) => `${name}: ${file} does not cite it`);
      });
    expect(wrong).toEqual([]);
  });

  it('has every rule that the code cites', () => {
    const known = new Set(rules.map(({ name }) => name));
    const files = ['apps', 'libs', 'test'].flatMap(sourcesIn);
    const unknown = files.flatMap((file) => {
      const cited = readFileSync(`${root}${file}`, 'utf8').match(/\bR\d{1,2}\b/g) ?? [];
      return cited.filter((name) => !known.has(name)).map((name) => `${file}: ${name}`);
    });
    expect(unknown).toEqual([]);
  });
});

function sourcesIn(folder: string): string[] {
  const paths = readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => /\.(ts|lua)$/.test(path)).map((path) => `${folder}/${path}`);
}

function cites(file: string, rule: string): boolean {
  const path = `${root}${file}`;
  return existsSync(path) && new RegExp(`\\b${rule}\\b`).test(readFileSync(path, 'utf8'));
}
