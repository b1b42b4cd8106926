const { packageOf, readText } = require('../source/project.cjs');

/**
 * Lists the packages that @wss/nest expects from the application in its package.json, those of Nest in the range of
 * its `@nestjs/common`. True if there were any to add.
 */
function addPackages(tree, sourceRoot, { peerDependencies = {}, peerDependenciesMeta = {} }) {
  const { path, content } = packageOf(tree, sourceRoot);
  if (!tree.exists(path)) return false;
  const { dependencies = {}, devDependencies = {}, peerDependencies: peers = {} } = content;
  const missing = Object.entries(peerDependencies).filter(
    ([name]) =>
      !peerDependenciesMeta[name]?.optional && !{ ...dependencies, ...devDependencies, ...peers }[name],
  );
  if (missing.length === 0) return false;
  const rangeOf = ([name, range]) => [
    name,
    name.startsWith('@nestjs/') ? (dependencies['@nestjs/common'] ?? range) : range,
  ];
  const all = [...Object.entries(dependencies), ...missing.map(rangeOf)];
  content.dependencies = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = readText(tree, path);
  const indent = /\n([ \t]+)/.exec(text)?.[1] ?? '  ';
  tree.overwrite(path, JSON.stringify(content, null, indent) + (text.endsWith('\n') ? '\n' : ''));
  return true;
}

module.exports = { addPackages };
