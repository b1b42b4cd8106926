import { posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXCEPTIONS, FILES_OF_NEST, HOUSE, KNOW_THE_APP, NOT_IN_FEATURES, SUBPATHS } from './house.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FEATURES = 'apps/gateway/src/features';

/**
 * Judges one import by the table of the house.
 * @param {string} file path of the importing file in the repository
 * @param {string} name what it imports, as it stands there
 * @returns {string | undefined} the problem
 */
export function problemOf(file, name) {
  const target = name.startsWith('.') ? posix.join(posix.dirname(file), name) : undefined;
  return (
    libraryFiles(file, name, target) ??
    filesOfNest(name) ??
    theApp(file, target) ??
    (isSource(file) ? (uses(file, name) ?? floors(file, target)) : undefined) ??
    features(file, name, target)
  );
}

/** Tests may know more than what they test. */
function isSource(file) {
  return /^[^/]+\/[^/]+\/src\//.test(file) && !file.endsWith('.spec.ts');
}

function libraryFiles(file, name, target) {
  if (/^@wss\/[^/]+\//.test(name) && !Object.hasOwn(SUBPATHS, name))
    return 'import @wss/<library>, nothing deeper';
  const library = target?.startsWith('libs/') && unitOf(target);
  return library && library !== unitOf(file) ? 'import @wss/<library>, not its files' : undefined;
}

/** Nest 11 and 12 both let others import these files; of the rest, each has its own. */
function filesOfNest(name) {
  if (!/^@nestjs\/[^/]+\/./.test(name) || FILES_OF_NEST.includes(name)) return undefined;
  return `import the package itself, or one of its files that Nest 11 and 12 share: ${FILES_OF_NEST.join(', ')}`;
}

function theApp(file, target) {
  if (!target?.startsWith('apps/') || !/^(libs|test|bench)\//.test(file)) return undefined;
  if (KNOW_THE_APP.some((path) => path.test(file))) return undefined;
  return 'the app is known to none but programs that tests and benchmarks start';
}

function uses(file, name) {
  const house = HOUSE[unitOf(file)];
  if (!house || name.startsWith('.')) return undefined;
  const library = SUBPATHS[name] ?? /^@wss\/([^/]+)$/.exec(name)?.[1];
  if (library) {
    if (!house.uses || house.uses.includes(library)) return undefined;
    return `${unitOf(file)} uses these libraries only: ${house.uses.join(', ') || 'none'}`;
  }
  if (house.packages && !house.packages.some((start) => isUnder(name, start))) {
    return `${unitOf(file)} uses these packages only: ${house.packages.join(', ') || 'none'}`;
  }
  if (house.without?.some((start) => isUnder(name, start))) return `${unitOf(file)} never knows ${name}`;
  return undefined;
}

function floors(file, target) {
  const unit = unitOf(file);
  if (!target || !HOUSE[unit] || unitOf(target) !== unit) return undefined;
  const [from, to] = [partOf(file), partOf(target)];
  if (from === to || EXCEPTIONS.includes(`${file} → ${to}`)) return undefined;
  const [fromFloor, toFloor] = [floorOf(unit, from), floorOf(unit, to)];
  if (toFloor < fromFloor || fromFloor === Infinity) return undefined;
  return `${from} does not use ${to}: a folder uses those below it (tools/lint/house.mjs)`;
}

function features(file, name, target) {
  if (!file.startsWith(`${FEATURES}/`)) return undefined;
  if (NOT_IN_FEATURES.some((start) => isUnder(name, start))) return `a feature never knows ${name}`;
  if (name.startsWith('@wss/') && !isOpenToFeatures(file, name)) return 'a feature imports @wss/nest only';
  const [feature, other] = [file, target ?? ''].map((path) => path.slice(FEATURES.length + 1).split('/'));
  if (!target?.startsWith(`${FEATURES}/`) || feature.length === 1 || feature[0] === other[0])
    return undefined;
  return "a feature imports no other feature's files";
}

/** Features are written like those of any user; their tests use the published kit, and ours. */
function isOpenToFeatures(file, name) {
  const testing = ['@wss/nest/testing', '@wss/testing'].includes(name);
  return name === '@wss/nest' || (testing && file.endsWith('.spec.ts'));
}

/** "libs/cluster", "apps/gateway". */
function unitOf(path) {
  return path.split('/').slice(0, 2).join('/');
}

/** The folder under `src`, or the name of the file that lies there itself. */
export function partOf(path) {
  const [, , , part] = path.split('/');
  return part.replace(/\.[jt]s$/, '');
}

/** Number of a folder's floor; what has none stands above all. */
function floorOf(unit, part) {
  const index = HOUSE[unit].floors.findIndex((floor) => [floor].flat().includes(part));
  return index < 0 ? Infinity : index;
}

function isUnder(name, start) {
  return name === start || name.startsWith(/[/:]$/.test(start) ? start : `${start}/`);
}

const rule = {
  create(context) {
    const file = relative(ROOT, context.filename).split(sep).join('/');
    const judge = ({ source }) => {
      if (typeof source?.value !== 'string') return;
      const problem = problemOf(file, source.value);
      if (problem) context.report({ node: source, message: problem });
    };
    return {
      ImportDeclaration: judge,
      ExportNamedDeclaration: judge,
      ExportAllDeclaration: judge,
      ImportExpression: judge,
      TSImportType: judge,
    };
  },
};

export default { meta: { name: 'house' }, rules: { imports: rule } };
