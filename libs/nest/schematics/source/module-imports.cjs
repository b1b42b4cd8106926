const { localNames } = require('./imports.cjs');
const { append } = require('./lists.cjs');

/** Classes of a file that have Nest's `@Module({ … })`. */
function moduleClasses(source) {
  return source.all((node) => source.ts.isClassDeclaration(node) && metadataOf(source, node) !== undefined);
}

/** The argument of `@Module( … )` of a class. */
function metadataOf(source, node) {
  const names = localNames(source, 'Module', '@nestjs/common');
  const call = (source.ts.getDecorators(node) ?? [])
    .map(({ expression }) => expression)
    .find((each) => source.ts.isCallExpression(each) && names.includes(each.expression.getText()));
  return call?.arguments[0];
}

/**
 * Adds an element to the `imports` of a class with `@Module({ … })`.
 * @returns undefined, or why that was not possible; then nothing was changed
 */
function addToImports(source, node, element) {
  const { ts } = source;
  const metadata = metadataOf(source, node);
  if (!metadata) return `${node.name?.text ?? 'its class'} has no @Module({ … })`;
  const object = source.bare(metadata);
  if (!ts.isObjectLiteralExpression(object))
    return `its @Module gets ${object.getText()}, not an object in place`;
  const property = object.properties.find(({ name }) => name && /^['"]?imports['"]?$/.test(name.getText()));
  const spread = object.properties.find(
    (each) => ts.isSpreadAssignment(each) && (!property || each.pos > property.pos),
  );
  if (spread) return `${spread.getText()} in its @Module may hold imports too`;
  if (property) return extend(source, property, element);
  append(source, object.properties, object.getEnd() - 1, `imports: [${element}]`);
  return undefined;
}

function extend(source, property, element) {
  const { ts } = source;
  if (ts.isShorthandPropertyAssignment(property)) {
    source.insert(property.getEnd(), `: [...${property.name.text}, ${element}]`);
    return undefined;
  }
  if (!ts.isPropertyAssignment(property)) return 'the imports of its @Module are not a list';
  const list = source.bare(property.initializer);
  if (ts.isArrayLiteralExpression(list)) append(source, list.elements, list.getEnd() - 1, element);
  else replaceBySpread(source, property.initializer, element);
  return undefined;
}

/** `imports: shared` becomes `imports: [...shared, Module]`. */
function replaceBySpread(source, list, element) {
  const { ts } = source;
  const simple = ts.isIdentifier(list) || ts.isPropertyAccessExpression(list) || ts.isCallExpression(list);
  const spread = simple ? list.getText() : `(${list.getText()})`;
  source.replace(list.getStart(), list.getEnd(), `[...${spread}, ${element}]`);
}

module.exports = { addToImports, metadataOf, moduleClasses };
