import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from './inputs.mjs';

const FOLDER = 'build/.remembered';
/** Settings of the compiler; the lock file stands for the compiler itself and for the types of packages. */
const SETTINGS = ['tsconfig.json', 'package-lock.json'];

/**
 * Gives what a slow piece of code makes, and makes it only if it is of other texts than the last time.
 *
 * @param name of a file in `build/.remembered`
 * @param texts everything that the result depends on, the code that makes it too
 * @param make gives or promises a value that JSON can hold; when it throws, nothing is kept
 */
export async function remembered(name, texts, make) {
  const digest = digestOf(texts);
  const file = join(FOLDER, `${name}.json`);
  const kept = read(file);
  if (kept?.digest === digest) return kept.value;
  const value = await make();
  mkdirSync(FOLDER, { recursive: true });
  const next = `${file}.${process.pid}`;
  writeFileSync(next, JSON.stringify({ digest, value }));
  renameSync(next, file);
  return value;
}

/** The texts of all sources of libraries, and of what else decides what they compile to; tests are not among them. */
export function librarySources() {
  const sources = filesBelow('libs').filter((path) => /\.(ts|lua)$/.test(path) && !path.endsWith('.spec.ts'));
  return [...sources.sort(), ...SETTINGS].flatMap((path) => [path, readFileSync(path)]);
}

/** The length before each text tells `ab`, `c` from `a`, `bc`. */
function digestOf(texts) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('hex');
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
