import ts from 'typescript';

/**
 * Names of properties that a bundle may shorten: wherever they stand in a folder they mean something that is private
 * or tagged `@internal`, never something of the public API, of the wire, or of the platform.
 *
 * @param entry the library's index
 * @param folder the library's sources
 */
export function internalNames(entry, folder) {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
  const program = ts.createProgram([entry], options);
  const names = new Map();
  for (const file of program.getSourceFiles()) {
    if (!file.fileName.includes(folder)) continue;
    for (const [name, symbol] of propertyNames(file, program.getTypeChecker())) {
      names.set(name, (names.get(name) ?? true) && isInternal(symbol));
    }
  }
  return [...names].filter(([, internal]) => internal).map(([name]) => name);
}

function* propertyNames(file, checker) {
  const nodes = [file];
  for (const node of nodes) {
    ts.forEachChild(node, (child) => void nodes.push(child));
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
