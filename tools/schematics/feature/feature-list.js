const LIST = /export const features = \[([^\]]*)\];/;
const LINE_WIDTH = 110;

/**
 * Adds a module to the text of features/index.ts: its import in alphabetical order of paths, its name at the list's end.
 * Throws an Error when the file has no list.
 */
export function addFeature(text, { module, path }) {
  const list = LIST.exec(text);
  if (!list)
    throw new Error('features/index.ts has no "export const features = [ … ];"; add the module by hand');
  const names = [
    ...list[1]
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
    module,
  ];
  return addImport(text.replace(LIST, format(names)), `import { ${module} } from '${path}';`);
}

function format(names) {
  const line = `export const features = [${names.join(', ')}];`;
  if (line.length <= LINE_WIDTH) return line;
  return `export const features = [\n${names.map((name) => `  ${name},`).join('\n')}\n];`;
}

function addImport(text, line) {
  const lines = text.split('\n');
  const isImport = (each) => each.startsWith('import ');
  const pathOf = (each) => each.slice(each.indexOf("'"));
  const after = lines.findIndex((each) => isImport(each) && pathOf(each) > pathOf(line));
  const end = lines.findLastIndex(isImport) + 1;
  lines.splice(after < 0 ? end : after, 0, line);
  return lines.join('\n');
}
