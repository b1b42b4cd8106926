import { build } from 'esbuild';

/** Bundles for browsers and Node: one ES module without a dependency. */
export function bundle(options) {
  return build({
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    alias: { '@wss/protocol': './libs/protocol/src/index.ts', '@wss/client': './libs/client/src/index.ts' },
    logLevel: 'warning',
    ...options,
  });
}
