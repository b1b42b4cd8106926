const { addImport, localNames } = require('../source/imports.cjs');

/** The HTTP application that a main file creates: `{ name, statement, module }`, or `{ problem }` that says why none was found. */
function findApplication(source) {
  const calls = createCalls(source);
  if (calls.length === 0) return { problem: 'it has no NestFactory.create( … )' };
  const found = calls.map((call) => ({ ...target(source, call), module: rootModule(source, call), call }));
  const chosen = found.length > 1 ? found.filter(({ name }) => name && listens(source, name)) : found;
  if (chosen.length !== 1) return { problem: ambiguous(source, calls), module: commonModule(found) };
  const [application] = chosen;
  const problem =
    otherAdapter(source, application) ?? (application.statement ? undefined : unplaced(source, application));
  return { ...application, problem };
}

/** The root module of all applications, if they have one. */
function commonModule(applications) {
  const modules = new Set(applications.map(({ module }) => module));
  return modules.size === 1 ? [...modules][0] : undefined;
}

/** An adapter that is set later would take the place of ours, and the application would refuse to boot. */
function otherAdapter(source, { name }) {
  const [call] = name ? callsOf(source, name, 'useWebSocketAdapter') : [];
  if (!call) return undefined;
  const adapter = call.arguments[0]?.getText() ?? '…';
  const isWs = /^new (\w+\.)?WsAdapter\b/.test(adapter);
  const remedy = isWs ? 'remove it' : `pass it on instead, as useWss(${name}, { fallback: ${adapter} })`;
  return `line ${source.lineOf(call)} sets another WebSocket adapter; ${remedy}`;
}

function createCalls(source) {
  const { ts } = source;
  const factories = localNames(source, 'NestFactory', '@nestjs/core');
  return source.all(
    (node) =>
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.name.text === 'create' &&
      factories.includes(node.expression.expression.getText()),
  );
}

/** The variable or property that keeps the awaited application, and the statement that sets it. */
function target(source, call) {
  const { ts } = source;
  let [node, awaited] = [call.parent, false];
  while (ts.isAwaitExpression(node) || source.bare(node) !== node) {
    awaited ||= ts.isAwaitExpression(node);
    node = node.parent;
  }
  if (!awaited) return {};
  if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) {
    return { name: node.name.text, statement: inBlock(source, node.parent.parent) };
  }
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return {};
  return { name: node.left.getText(), statement: inBlock(source, node.parent) };
}

/** A statement that others can follow; the only one behind an `if` cannot be followed. */
function inBlock(source, node) {
  const { ts } = source;
  const isStatement = ts.isVariableStatement(node) || ts.isExpressionStatement(node);
  const { parent } = node;
  return isStatement && (ts.isBlock(parent) || ts.isSourceFile(parent) || ts.isCaseOrDefaultClause(parent))
    ? node
    : undefined;
}

/** The name of the class that is created, `AppModule` for `AppModule.register()` as well. */
function rootModule(source, call) {
  const { ts } = source;
  let node = call.arguments[0] && source.bare(call.arguments[0]);
  while (
    node &&
    (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node) || ts.isAwaitExpression(node))
  ) {
    node = source.bare(node.expression);
  }
  return node && ts.isIdentifier(node) ? node.text : undefined;
}

function listens(source, name) {
  return callsOf(source, name, 'listen').length > 0;
}

function callsOf(source, name, method) {
  const { ts } = source;
  return source.all(
    (node) =>
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      node.expression.name.text === method &&
      source.bare(node.expression.expression).getText() === name,
  );
}

function ambiguous(source, calls) {
  const lines = calls.map((call) => source.lineOf(call)).join(' and ');
  return `it creates several applications, on lines ${lines}`;
}

function unplaced(source, { call }) {
  return `the application that line ${source.lineOf(call)} creates is not kept in a variable of its own statement`;
}

/** True if a file calls `useWss( … )` of the package. */
function callsUseWss(source) {
  const names = localNames(source, 'useWss', '@wss/nest');
  return (
    source.all((node) => source.ts.isCallExpression(node) && names.includes(node.expression.getText()))
      .length > 0
  );
}

/** True if a file calls `enableShutdownHooks` of whatever application. */
function enablesHooks(source) {
  const { ts } = source;
  const isCall = (node) =>
    ts.isCallExpression(node) &&
    ts.isPropertyAccessExpression(node.expression) &&
    node.expression.name.text === 'enableShutdownHooks';
  return source.all(isCall).length > 0;
}

/**
 * Adds statements behind the one that creates the application.
 * @returns undefined, or why that was not possible; then nothing was changed
 */
function addStatements(source, { name, statement }, wanted) {
  if (callsOf(source, name, 'listen').some((call) => call.pos < statement.end)) {
    return `"${name}" listens before a statement could follow`;
  }
  if (wanted.useWss && !addImport(source, 'useWss', '@wss/nest'))
    return 'it uses the name "useWss" for something else';
  const end = source.endsWithSemicolon(statement) ? ';' : '';
  const position = source.endOf(statement);
  const lines = statementsFor(name, wanted).map((line) => line + end);
  const indent = source.indentOf(statement.getStart());
  const remark = source.endOfRemark(position);
  const alone = indent !== undefined && /^[ \t]*(\r?\n|$)/.test(source.text.slice(remark));
  if (alone) source.insert(remark, lines.map((line) => source.newline + indent + line).join(''));
  else
    source.insert(
      position,
      statementsFor(name, wanted)
        .map((line) => `${end ? '' : ';'} ${line}${end}`)
        .join(''),
    );
  return undefined;
}

function statementsFor(name, { useWss, hooks }) {
  return [useWss && `useWss(${name})`, hooks && `${name}.enableShutdownHooks()`].filter(Boolean);
}

module.exports = { addStatements, callsUseWss, enablesHooks, findApplication, statementsFor };
