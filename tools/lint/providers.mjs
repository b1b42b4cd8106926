import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The functions that make providers, with the compiler's check. */
const BIND = 'libs/core/src/bind.ts';
const WITH = {
  useExisting: 'bind',
  useClass: 'bindClass',
  useValue: 'bindValue',
  useFactory: 'bindFactory',
};

/**
 * A provider that binds a class by itself: the compiler does not see whether the implementation fits. Tokens that are
 * not classes, like `APP_GUARD`, have no type to compare with.
 */
const rule = {
  create(context) {
    if (relative(ROOT, context.filename).split(sep).join('/') === BIND) return {};
    return {
      ObjectExpression(node) {
        const fields = new Map(node.properties.map((property) => [nameOf(property), property.value]));
        const way = Object.keys(WITH).find((name) => fields.has(name));
        const port = way && className(fields.get('provide'));
        if (port) context.report({ node, message: `bind ${port} by ${WITH[way]} of @wss/core` });
      },
    };
  },
};

function nameOf({ key }) {
  return key?.name ?? key?.value;
}

/** The name of a class: `Port`, `ports.Port`, `Port as Type`. */
function className(node) {
  const inner = node?.expression ?? node?.property ?? node;
  if (inner !== node) return className(inner);
  return /^[A-Z][A-Z0-9]*[a-z]/.test(node?.name ?? '') ? node.name : undefined;
}

export default { meta: { name: 'providers' }, rules: { bind: rule } };
