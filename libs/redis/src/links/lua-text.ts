import { readFileSync } from 'node:fs';

/** Reads one file of a script. The published package has another file here, which holds the texts of all. */
export function luaText(file: URL): string {
  return readFileSync(file, 'utf8');
}
