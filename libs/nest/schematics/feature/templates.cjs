const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const FOLDER = join(__dirname, 'templates');
const PARTS = ['messages', 'document', 'handlers', 'module'];

/** The files of a feature, as `{ file, text }`. `extension` ends relative imports; without `tests` there is no test. */
function render({ name, Name, extension, tests, specFileSuffix }) {
  const values = { name, Name, extension, tests };
  const parts = PARTS.map((part) => ({ file: `${name}.${part}.ts`, text: fill(part, values) }));
  if (tests === undefined) return parts;
  return [...parts, { file: `${name}.${specFileSuffix}.ts`, text: fill('spec', values) }];
}

function fill(part, values) {
  const template = readFileSync(join(FOLDER, `${part}.ts.template`), 'utf8');
  return template.replace(/<%= (\w+) %>\n?/g, (mark, key) => {
    return key === 'tests' ? values.tests : values[key] + (mark.endsWith('\n') ? '\n' : '');
  });
}

module.exports = { render };
