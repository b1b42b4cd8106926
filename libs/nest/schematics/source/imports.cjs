const { append } = require('./lists.cjs');

/** The names under which a file knows something that a package exports, e.g. `Module` of `@nestjs/common`. */
function localNames(source, exported, from) {
  const { ts } = source;
  return importsOf(source)
    .filter(({ moduleSpecifier }) => moduleSpecifier.text === from)
    .flatMap(({ importClause }) => {
      const bindings = importClause?.namedBindings;
      if (!bindings) return [];
      if (ts.isNamespaceImport(bindings)) return [`${bindings.name.text}.${exported}`];
      return bindings.elements
        .filter(({ propertyName, name }) => (propertyName ?? name).text === exported)
        .map(({ name }) => name.text);
    });
}

function importsOf(source) {
  return source.tree.statements.filter(source.ts.isImportDeclaration);
}

/** The file and the name behind a name of this file, e.g. `{ from: './app.module', name: 'AppModule' }`. */
function origin(source, local) {
  for (const { importClause, moduleSpecifier } of importsOf(source)) {
    const from = moduleSpecifier.text;
    if (importClause?.name?.text === local) return { from, name: 'default' };
    const named = importClause?.namedBindings?.elements?.find(({ name }) => name.text === local);
    if (named) return { from, name: (named.propertyName ?? named.name).text };
  }
  return undefined;
}

/** Imports a name, unless that was done. False if the file uses the name for something else; then it is left alone. */
function addImport(source, name, from) {
  if (localNames(source, name, from).includes(name)) return true;
  if (uses(source, name)) return false;
  const extended = importsOf(source).find(
    ({ importClause, moduleSpecifier }) =>
      moduleSpecifier.text === from && importClause?.namedBindings?.elements && !importClause.isTypeOnly,
  );
  if (extended) {
    const { namedBindings } = extended.importClause;
    append(source, namedBindings.elements, namedBindings.getEnd() - 1, name);
  } else {
    addDeclaration(source, name, from);
  }
  return true;
}

/** True if a file has an identifier of this name; `other.name` and `{ name: … }` are none. */
function uses(source, name) {
  const { ts } = source;
  const isMember = ({ parent }) => ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent);
  const stands = (node) =>
    ts.isIdentifier(node) && node.text === name && !(isMember(node) && node.parent.name === node);
  return source.all(stands).length > 0;
}

/** Packages stand before the files of the application, and each behind those that are there. */
function addDeclaration(source, name, from) {
  const { newline, text } = source;
  const imports = importsOf(source);
  const isFile = ({ moduleSpecifier }) => moduleSpecifier.text.startsWith('.');
  const line = declaration(source, name, from);
  const before = from.startsWith('.')
    ? imports.at(-1)
    : (imports.findLast((each) => !isFile(each)) ?? undefined);
  if (before) {
    source.insert(source.endOfRemark(source.endOf(before)), `${newline}${line}`);
    return;
  }
  const first = imports[0] ?? source.tree.statements[0];
  const position = first?.getStart() ?? text.length;
  source.insert(position, `${line}${newline}${imports[0] ? '' : newline}`);
}

/** An import as the others of the file look, with their quotes and their end. */
function declaration(source, name, from) {
  const other = importsOf(source)[0];
  const quote = quoteOf(source);
  const end = !other || source.endsWithSemicolon(other) ? ';' : '';
  return `import { ${name} } from ${quote}${from}${quote}${end}`;
}

/** The quotes of a file's imports. */
function quoteOf(source) {
  return importsOf(source)[0]?.moduleSpecifier.getText()[0] ?? "'";
}

module.exports = { addImport, importsOf, localNames, origin, quoteOf };
