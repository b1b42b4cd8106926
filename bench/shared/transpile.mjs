import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const PACKAGE = fileURLToPath(new URL('../../dist/', import.meta.url));

/** The entries of `@wss/nest` in the build, as `tsconfig.json` has them among the sources. */
const ENTRIES = {
  '@wss/nest': 'libs/nest/src/index.js',
  '@wss/nest/metrics': 'libs/nest/src/metrics/index.js',
};

/**
 * Turns TypeScript files of one folder into JavaScript in its folder `dist`, with Nest's decorators and their types,
 * so that a benchmark runs what users write. Imports of `@wss/nest` lead into the build.
 * @returns the path of the first one's output
 */
export function transpile(...sources) {
  const outputs = sources.map((source) => {
    const folder = join(dirname(source), 'dist');
    mkdirSync(folder, { recursive: true });
    const output = join(folder, basename(source).replace(/\.ts$/, '.js'));
    writeFileSync(output, javascriptOf(source));
    return output;
  });
  return outputs[0];
}

function javascriptOf(source) {
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
    fileName: source,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
    },
  });
  return outputText.replace(/from '(@wss\/[^']+)'/g, (_whole, name) => {
    if (!ENTRIES[name]) throw new Error(`${source}: no entry ${name} for benchmarks`);
    return `from '${pathToFileURL(join(PACKAGE, ENTRIES[name])).href}'`;
  });
}
