import ts from 'typescript';

/**
 * Properties of a library that may have any name: those that, wherever they stand in a folder, mean something that is
 * private or tagged `@internal`, never something of the public API, of the wire, or of the platform.
 *
 * @param entry the library's index
 * @param folder the library's sources
 * @returns by property, the most used first, the others that some value has beside it: their names must differ
 */
export function internalNames(entry, folder) {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.includes(folder));
  const uses = new Map();
  const known = new Set();
  for (const [name, symbol] of files.flatMap((file) => [...propertyNames(file, checker)])) {
    uses.set(name, isInternal(symbol) && !known.has(name) ? (uses.get(name) ?? 0) + 1 : 0);
    if (uses.get(name) === 0) known.add(name);
  }
  const internal = [...uses.keys()].filter((name) => uses.get(name) > 0);
  const beside = neighbours(files, checker, new Set(internal));
  internal.sort((a, b) => uses.get(b) - uses.get(a));
  return new Map(internal.map((name) => [name, [...(beside.get(name) ?? [])]]));
}

/** By internal property: all others of every value that has it. */
function neighbours(files, checker, internal) {
  const beside = new Map();
  const seen = new Set();
  const note = (type) => {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) type.types.forEach(note);
    const names = checker.getPropertiesOfType(type).map(({ name }) => name);
    for (const name of names.filter((one) => internal.has(one))) {
      if (!beside.has(name)) beside.set(name, new Set());
      for (const other of names) if (other !== name) beside.get(name).add(other);
    }
  };
  for (const node of files.flatMap((file) => descendants(file))) {
    if (ts.isExpression(node) || ts.isTypeNode(node)) note(checker.getTypeAtLocation(node));
    else if (ts.isClassLike(node) || ts.isInterfaceDeclaration(node)) note(checker.getTypeAtLocation(node));
  }
  return beside;
}

function descendants(file) {
  const nodes = [file];
  for (const node of nodes) ts.forEachChild(node, (child) => void nodes.push(child));
  return nodes.slice(1);
}

function* propertyNames(file, checker) {
  for (const node of descendants(file)) {
    if (ts.isIdentifier(node) && isPropertyName(node)) yield [node.text, symbolOf(node, checker)];
  }
}

function isPropertyName(node) {
  const { parent } = node;
  if (ts.isBindingElement(parent)) {
    return ts.isObjectBindingPattern(parent.parent) && (parent.propertyName ?? parent.name) === node;
  }
  if (parent.name !== node) return false;
  return (
    ts.isPropertyAccessExpression(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isShorthandPropertyAssignment(parent) ||
    ts.isParameterPropertyDeclaration(parent, parent.parent)
  );
}

function symbolOf(node, checker) {
  const { parent } = node;
  if (ts.isBindingElement(parent))
    return checker.getPropertyOfType(checker.getTypeAtLocation(parent.parent), node.text);
  if (!ts.isObjectLiteralExpression(parent.parent)) return checker.getSymbolAtLocation(node);
  const type = checker.getContextualType(parent.parent);
  return type && checker.getPropertyOfType(type, node.text);
}

function isInternal(symbol) {
  return symbol?.declarations?.every(isInternalDeclaration) ?? false;
}

function isInternalDeclaration(node) {
  if (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) return true;
  const owner = ts.isParameter(node) ? node.parent.parent : node.parent;
  return [node, owner].some((tagged) =>
    ts.getJSDocTags(tagged).some(({ tagName }) => tagName.text === 'internal'),
  );
}
