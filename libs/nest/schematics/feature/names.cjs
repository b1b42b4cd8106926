const { sourcesBelow, readText } = require('../source/project.cjs');

/** As the server takes a kind of room. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const LONGEST_NAME = 32;
/** Classes of JavaScript; a class of the same name in the files would be taken for them. */
const BUILT_IN = new Set(
  'Array Boolean Date Error Function Map Number Object Promise RegExp Set String Symbol'.split(' '),
);

/** The names of a feature: `shopping-list` makes `{ name: 'shopping-list', Name: 'ShoppingList' }`. */
function namesOf(name) {
  if (!NAME.test(name) || name.length > LONGEST_NAME) {
    throw new Error(
      `"${name}" is not a valid feature name: lower-case letters, digits and single dashes, starting with a letter, at most ${LONGEST_NAME}; e.g. shopping-list`,
    );
  }
  return { name, Name: name.replace(/(?:^|-)([a-z0-9])/g, (_, first) => first.toUpperCase()) };
}

/** Refuses a name whose classes would have the names of others in the same file. */
function checkClasses(ts, { name, Name }, files) {
  const taken = BUILT_IN.has(Name) || files.some(({ text }) => hasNameTwice(ts, text));
  if (taken) {
    throw new Error(`"${name}" would make a class whose name is taken; choose another, e.g. my-${name}`);
  }
}

function hasNameTwice(ts, text) {
  const { statements } = ts.createSourceFile('feature.ts', text, ts.ScriptTarget.Latest);
  const names = statements.flatMap((each) => {
    if (ts.isImportDeclaration(each))
      return each.importClause.namedBindings.elements.map(({ name }) => name.text);
    return ts.isClassDeclaration(each) ? [each.name.text] : [];
  });
  return new Set(names).size < names.length;
}

/** Refuses a kind of room that the application has already; it would refuse to boot with two. */
function checkKind(tree, classes, sourceRoot, kind) {
  const declares = new RegExp(`RoomType\\(\\s*['"\`]${kind}['"\`]`);
  const path = sourcesBelow(tree, sourceRoot).find((each) => {
    return declares.test(readText(tree, each)) && declaresKind(classes.open(each), kind);
  });
  if (path) throw new Error(`${path} declares rooms "${kind}" already; choose another name`);
}

function declaresKind(source, kind) {
  const { ts } = source;
  return source
    .all(ts.isDecorator)
    .map(({ expression }) => expression)
    .some(
      (call) =>
        ts.isCallExpression(call) &&
        /\bRoomType$/.test(call.expression.getText()) &&
        call.arguments[0]?.text === kind,
    );
}

module.exports = { checkClasses, checkKind, namesOf };
