const { join } = require('node:path');

/** As `nest new` writes them, for applications that say nothing else. */
const DEFAULTS = { singleQuote: true, trailingComma: 'all' };

/** Formats a new file as the application's Prettier does; without one the text stays as it is. */
async function formatted(path, text, root = process.cwd()) {
  const prettier = await load(root);
  if (!prettier) return text;
  const filepath = join(root, path);
  const options = (await prettier.resolveConfig(filepath, { editorconfig: true })) ?? DEFAULTS;
  return prettier.format(text, { ...options, filepath });
}

/** Formats a changed file only if it was formatted before; otherwise nothing moves that was not changed. */
async function formattedAgain(path, before, after) {
  return (await formatted(path, before)) === before ? formatted(path, after) : after;
}

async function load(root) {
  try {
    return require(require.resolve('prettier', { paths: [root] }));
  } catch {
    return undefined;
  }
}

module.exports = { formatted, formattedAgain };
