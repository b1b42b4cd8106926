import { expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = 'libs/testing/test/features';
const document = readFileSync(`${root}docs/testing.md`, 'utf8');

const specs = readdirSync(`${root}${FOLDER}`).map((file) => readFileSync(`${root}${FOLDER}/${file}`, 'utf8'));
const examples = [...document.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code!);

/** True if the lines of an example stand in a text, one after another. */
function stands(example: string, text: string): boolean {
  const isImports = example.startsWith('import ');
  return isImports
    ? example
        .trim()
        .split('\n')
        .every((line) => text.includes(line))
    : text.includes(example);
}

it('docs/testing.md shows only what runs in a test', () => {
  expect(examples.length).toBeGreaterThan(10);
  expect(examples.filter((example) => !specs.some((spec) => stands(example, spec)))).toEqual([]);
});

it('an example that runs nowhere is found', () => {
  const [first] = examples.filter((example) => !example.startsWith('import '));
  expect(specs.some((spec) => stands(first!.replace('ann', 'eve'), spec))).toBe(false);
});
