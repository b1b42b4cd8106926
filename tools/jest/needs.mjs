import { existsSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** The module of ours that starts the built program; whatever runs the build goes through it. */
const STARTS_THE_BUILD = 'libs/testing/src/gateways/gateway-node.ts';
/** The module that starts Redis. */
const STARTS_REDIS = 'libs/testing/src/servers/redis-server.ts';
/** The package that drives a browser. */
const DRIVES_A_BROWSER = 'playwright-core';

const { paths } = JSON.parse(readFileSync('tsconfig.json', 'utf8')).compilerOptions;

/**
 * Finds what specs need beside the packages, from the code that each of them reaches. A bundler follows the imports
 * and leaves out what is not used: a spec that takes something else from the barrel which also exports
 * `GatewayNode` does not need the build.
 *
 * @param specs paths
 * @returns the specs that need each, by their paths as given
 */
export async function needsOf(specs) {
  const { metafile } = await build({
    entryPoints: specs,
    outdir: 'build/.needs',
    write: false,
    bundle: true,
    metafile: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    logLevel: 'error',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
    plugins: [ourModules],
  });
  const outputs = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint);
  const whose = (isIt) => {
    const found = new Set(outputs.filter(isIt).map(({ entryPoint }) => resolve(entryPoint)));
    return specs.filter((spec) => found.has(resolve(spec)));
  };
  const holds = (path) => whose(({ inputs }) => (inputs[path]?.bytesInOutput ?? 0) > 0);
  return {
    build: holds(STARTS_THE_BUILD),
    redis: holds(STARTS_REDIS),
    browser: whose(({ imports }) => imports.some(({ path }) => path === DRIVES_A_BROWSER)),
  };
}

/** Our modules do nothing when they are loaded, so that one which is not used counts for nothing. */
const ourModules = {
  name: 'our modules',
  setup({ onResolve }) {
    onResolve({ filter: /^(@wss\/|\.)/ }, ({ kind, path, resolveDir }) => {
      if (kind === 'entry-point') return undefined;
      const found = sourceOf(path, resolveDir);
      return existsSync(found) ? { path: found, sideEffects: false } : { external: true };
    });
  },
};

function sourceOf(name, folder) {
  const path = name.startsWith('.') ? resolve(folder, name) : resolve(fromAlias(name));
  return path.replace(/\.js$/, '.ts');
}

function fromAlias(name) {
  return paths[name]?.[0] ?? paths['@wss/*'][0].replace('*', name.slice('@wss/'.length));
}

/** A path as messages show it. */
export function shown(path) {
  return relative('.', path);
}
