const { packageOf, readText } = require('../source/project.cjs');

/**
 * The line that gives a test its functions in the application's test runner: an import, none for Jest with globals, or
 * undefined without a runner.
 */
function testImports(tree, folder) {
  const { content } = packageOf(tree, folder);
  const root = packageOf(tree, '.').content;
  const has = (name) =>
    [content, root].some((each) => each.dependencies?.[name] ?? each.devDependencies?.[name]);
  const names = '{ afterAll, beforeAll, beforeEach, describe, expect, it }';
  const runner = chosen({
    jest: has('jest'),
    vitest: has('vitest'),
    script: content.scripts?.test ?? root.scripts?.test,
  });
  if (runner === 'vitest') return `import ${names} from 'vitest';\n`;
  if (runner === undefined) return undefined;
  const imported = has('@jest/globals') || !has('@types/jest') || withoutGlobals(tree, [content, root]);
  return imported ? `import ${names} from '@jest/globals';\n` : '';
}

/** Of two runners it is the one that `npm test` starts. */
function chosen({ jest, vitest, script = '' }) {
  if (jest && vitest) return /\bjest\b/.test(script) ? 'jest' : 'vitest';
  return vitest ? 'vitest' : jest ? 'jest' : undefined;
}

function withoutGlobals(tree, packages) {
  const inPackage = packages.some(({ jest }) => jest?.injectGlobals === false);
  const files = ['ts', 'js', 'mjs', 'cjs', 'json'].map((ending) => `jest.config.${ending}`);
  const off = /\binjectGlobals["']?\s*:\s*false\b/;
  return inPackage || files.some((path) => tree.exists(path) && off.test(readText(tree, path)));
}

module.exports = { testImports };
