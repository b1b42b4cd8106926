const { dirname } = require('node:path');

/** The TypeScript of the application; else the one that the Nest CLI brings. */
function loadTypescript(root = process.cwd()) {
  for (const folder of [root, dirname(process.argv[1] ?? root)]) {
    const typescript = loadFrom(folder);
    if (typescript) return typescript;
  }
  throw new Error('no TypeScript with a compiler API was found; npm install --save-dev typescript@6');
}

/** A TypeScript without a compiler API (7.0) is of no use here. */
function loadFrom(folder) {
  try {
    const typescript = require(require.resolve('typescript', { paths: [folder] }));
    return typescript.createSourceFile ? typescript : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { loadTypescript };
