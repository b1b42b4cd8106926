const { origin } = require('./imports.cjs');
const { readText } = require('./project.cjs');
const { SourceFile } = require('./source-file.cjs');

/** Finds where a class is declared that a file uses: in the file itself, or behind imports, path names and barrels. */
class Classes {
  constructor(ts, tree) {
    this.ts = ts;
    this.tree = tree;
    this.options = compilerOptions(ts, tree);
    this.host = {
      fileExists: (path) => tree.exists(path),
      readFile: (path) => (tree.exists(path) ? readText(tree, path) : undefined),
    };
  }

  open(path) {
    return new SourceFile(this.ts, path, readText(this.tree, path));
  }

  /** The file and the node of a class that is called so in `source`; undefined if it is not one of the application. */
  find(source, name, seen = new Set()) {
    const key = `${source.path}#${name}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    const node = this.declared(source, name);
    if (node) return { source, node };
    const imported = origin(source, name);
    for (const door of imported ? [imported] : reexports(source, name)) {
      const next = this.behind(source, door);
      const found = next && this.find(next, door.name, seen);
      if (found) return found;
    }
    return undefined;
  }

  /** The file that a name comes from; without `from` the name is another one of the same file. */
  behind(source, { from }) {
    if (from === undefined) return source;
    const path = this.resolve(from, source.path);
    return path && this.open(path);
  }

  declared(source, name) {
    const { ts } = this;
    const isDefault = (node) => node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
    return source.tree.statements.find(
      (node) =>
        ts.isClassDeclaration(node) && (name === 'default' ? isDefault(node) : node.name?.text === name),
    );
  }

  resolve(specifier, from) {
    const { resolvedModule } = this.ts.resolveModuleName(specifier, `/${from}`, this.options, this.host);
    const path = resolvedModule?.resolvedFileName.replace(/^\//, '');
    return path && !path.includes('node_modules/') && !path.endsWith('.d.ts') ? path : undefined;
  }
}

/** `export { X } from '…'`, `export * from '…'`, `export { X }` and `export default X`. */
function reexports(source, name) {
  const { ts } = source;
  return source.tree.statements.flatMap((statement) => {
    if (ts.isExportAssignment(statement)) {
      return name === 'default' ? [{ name: statement.expression.getText() }] : [];
    }
    if (!ts.isExportDeclaration(statement)) return [];
    const from = statement.moduleSpecifier?.text;
    if (!statement.exportClause) return [{ from, name }];
    const one = statement.exportClause.elements?.find((each) => each.name.text === name);
    return one ? [{ from, name: (one.propertyName ?? one.name).text }] : [];
  });
}

function compilerOptions(ts, tree) {
  const text = tree.exists('tsconfig.json') ? readText(tree, 'tsconfig.json') : '{}';
  const { config } = ts.parseConfigFileTextToJson('tsconfig.json', text);
  const { options } = ts.convertCompilerOptionsFromJson(config?.compilerOptions ?? {}, '/');
  return { ...options, pathsBasePath: options.baseUrl ?? '/' };
}

module.exports = { Classes };
