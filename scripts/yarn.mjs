import { existsSync } from 'node:fs';
import { main } from './lib/project.mjs';
import { npm, run } from './lib/run.mjs';

/**
 * The program that `yarn` runs in this repository (`yarnPath` in .yarnrc.yml): the same scripts and packages as npm,
 * so that there is one lock file and `yarn dev` needs no installation before it.
 */
const NPM_NAMES = { '': 'install', add: 'install', remove: 'uninstall', upgrade: 'update' };

const [command = '', ...rest] = process.argv.slice(2);
const isRun = command === 'run';
const [name, ...args] = isRun ? rest : [command, ...rest];

if (existsSync(new URL(`./${name}.mjs`, import.meta.url))) {
  process.argv.splice(2, Infinity, ...args);
  await import(`./${name}.mjs`);
} else {
  await main(async () => (await run(npm(...npmArguments()))).code);
}

function npmArguments() {
  if (isRun) return ['run', name, '--', ...args];
  return [NPM_NAMES[name] ?? name, ...args];
}
