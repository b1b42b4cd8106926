import { fileURLToPath } from 'node:url';
import { run } from './command.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Other tests may be making them meanwhile, one after the other. */
const WITHIN_MS = 600_000;

/** Puts the packages of the present sources into a folder, as `npm run packages` makes them. */
export async function copyPackages(folder: string): Promise<void> {
  await run([process.execPath, 'test/apps/copy-packages.mjs', folder], { cwd: root, withinMs: WITHIN_MS });
}
