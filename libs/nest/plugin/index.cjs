/**
 * A plugin of the Nest CLI (`"plugins": ["@wss/nest/plugin"]` in nest-cli.json): gives classes of messages, events and
 * documents their own doc comments, as a static method, so that the contract has them.
 */
/** Name of the static method; `class-comments.ts` of the contract reads it. */
const METHOD = '_WSS_COMMENTS';

/** Decorators of classes that are never data. */
const NO_DATA = new Set([
  'Module',
  'Injectable',
  'Controller',
  'Catch',
  'WebSocketGateway',
  'Global',
  'Resolver',
]);

/** The compiler of the application that is built, not one that happens to lie beside this package. */
const ts = require(require.resolve('typescript', { paths: [process.cwd(), __dirname] }));

/** @returns a transformer of source files, as the Nest CLI takes it */
exports.before = () => (context) => {
  const visit = (node) => {
    const inside = ts.visitEachChild(node, visit, context);
    return ts.isClassDeclaration(node) ? commented(inside, commentsOf(node)) : inside;
  };
  return (file) => (file.isDeclarationFile ? file : ts.visitNode(file, visit));
};

function commented(node, { text, fields }) {
  if (text === undefined && Object.keys(fields).length === 0) return node;
  const { modifiers, name, typeParameters, heritageClauses, members } = node;
  return ts.factory.updateClassDeclaration(node, modifiers, name, typeParameters, heritageClauses, [
    ...members,
    method({ ...(text !== undefined && { text }), fields }),
  ]);
}

function method(value) {
  const { factory } = ts;
  const body = factory.createBlock([factory.createReturnStatement(literal(value))]);
  const modifiers = [factory.createModifier(ts.SyntaxKind.StaticKeyword)];
  return factory.createMethodDeclaration(
    modifiers,
    undefined,
    METHOD,
    undefined,
    undefined,
    [],
    undefined,
    body,
  );
}

/** Names that objects treat apart, such as `__proto__`, are computed ones. */
function literal(value) {
  const { factory } = ts;
  if (typeof value === 'string') return factory.createStringLiteral(value);
  const properties = Object.entries(value).map(([name, inner]) =>
    factory.createPropertyAssignment(
      factory.createComputedPropertyName(factory.createStringLiteral(name)),
      literal(inner),
    ),
  );
  return factory.createObjectLiteralExpression(properties);
}

function commentsOf(node) {
  if (decoratorsOf(node).some((name) => NO_DATA.has(name)) || isInternal(node)) return { fields: {} };
  const fields = node.members.filter(isField).flatMap((member) => {
    const text = commentOf(member);
    return text === undefined ? [] : [[member.name.text, text]];
  });
  return { text: commentOf(node), fields: Object.fromEntries(fields) };
}

function decoratorsOf(node) {
  return (ts.getDecorators(node) ?? []).map(({ expression }) => {
    const named = ts.isCallExpression(expression) ? expression.expression : expression;
    return ts.isPropertyAccessExpression(named) ? named.name.text : named.text;
  });
}

/** A field that others than the class itself may see. */
function isField(member) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected | ts.ModifierFlags.Static;
  if (!ts.isPropertyDeclaration(member) || ts.getCombinedModifierFlags(member) & hidden) return false;
  return ts.isIdentifier(member.name) || ts.isStringLiteral(member.name);
}

/** The last doc comment before a declaration, without its tags; `undefined` if it is empty or `@internal`. */
function commentOf(node) {
  const comment = docOf(node);
  if (!comment || isInternal(node)) return undefined;
  const text = textOf(comment.comment)
    .replace(/[ \t]+$/gm, '')
    .trim();
  return text === '' ? undefined : text;
}

function docOf(node) {
  return ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).at(-1);
}

function isInternal(node) {
  return docOf(node)?.tags?.some(({ tagName }) => tagName.text === 'internal') ?? false;
}

/** Links are their text. */
function textOf(comment) {
  if (comment === undefined || typeof comment === 'string') return comment ?? '';
  return comment.map((part) => (part.name ? linkText(part) : part.text)).join('');
}

function linkText({ name, text }) {
  const label = text.replace(/^\s*\|?\s*/, '').trim();
  return label === '' ? name.getText() : label;
}
