const { formattedAgain } = require('../source/formatting.cjs');
const { projectOf, readJson, readText } = require('../source/project.cjs');

const PATH = 'nest-cli.json';
const PLUGIN = '@wss/nest/plugin';
/** The Nest CLI finds the plugin by the name of the package, too. */
const NAMES = [PLUGIN, '@wss/nest'];

/**
 * Lists our plugin in nest-cli.json, where the Nest CLI reads the plugins of the project: its own list if it has one, else
 * that of all projects.
 * @returns undefined, or why that was not possible; then nothing was changed
 */
async function addPlugin(tree, sourceRoot) {
  const settings = readJson(tree, PATH);
  if (!settings) return 'there is no such file';
  const project = projectOf(settings, sourceRoot);
  const owner = project?.compilerOptions?.plugins === undefined ? settings : project;
  const plugins = owner.compilerOptions?.plugins ?? [];
  if (!Array.isArray(plugins)) return 'its "plugins" are not a list';
  if (plugins.some((each) => NAMES.includes(each?.name ?? each))) return undefined;
  owner.compilerOptions = { ...owner.compilerOptions, plugins: [...plugins, PLUGIN] };
  const text = readText(tree, PATH);
  tree.overwrite(PATH, await formattedAgain(PATH, text, inTheFormOf(text, settings)));
  return undefined;
}

function inTheFormOf(text, settings) {
  const indent = /\n([ \t]+)/.exec(text)?.[1] ?? '  ';
  const json = JSON.stringify(settings, null, indent) + (text.endsWith('\n') ? '\n' : '');
  return text.includes('\r\n') ? json.replaceAll('\n', '\r\n') : json;
}

module.exports = { addPlugin };
