import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';
import config from '../../../../jest.config.mjs';

const [, options] = config.transform['^.+\\.ts$'];
const libs = new URL('../../../', import.meta.url);

/** Lets Node run our sources as jest does: aliases, `.js` for `.ts`, decorators. */
export function resolve(specifier, context, next) {
  const alias = /^@wss\/([^/]+)$/.exec(specifier);
  if (alias) return next(new URL(`${alias[1]}/src/index.ts`, libs).href, context);
  const own = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return next(own ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const { code } = await transform(await readFile(filename, 'utf8'), { ...options, filename, swcrc: false });
  return { format: 'module', source: code, shortCircuit: true };
}
