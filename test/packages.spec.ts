import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TemporaryFolder } from '@wss/testing';

const root = fileURLToPath(new URL('..', import.meta.url));
const ARCHIVES = ['wss-client-0.1.0.tgz', 'wss-nest-0.1.0.tgz'];
const TIMEOUT_MS = 900_000;

interface Manifest {
  readonly exports: Record<string, unknown>;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { optional: boolean }>;
}

/** A project with the packages from their archives, and of other packages only those that it names. */
let project: TemporaryFolder;

function run(command: string, args: string[], cwd = project.path): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}` };
}

const manifest = (): Manifest =>
  JSON.parse(readFileSync(join(project.path, 'node_modules/@wss/nest/package.json'), 'utf8')) as Manifest;

function unpack(archive: string): void {
  const folder = join(project.path, 'node_modules/@wss', archive.split('-')[1]!);
  mkdirSync(folder, { recursive: true });
  const args = ['-xzf', join(root, 'build/packages', archive), '-C', folder, '--strip-components=1'];
  expect(run('tar', args)).toMatchObject({ code: 0 });
}

/** Links packages of this repository. A package finds its own dependencies where the link leads. */
function link(...names: string[]): void {
  for (const name of names) {
    const path = join(project.path, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync(join(root, 'node_modules', name), path);
  }
}

/** Runs a script in Node as a module of the given kind. */
function node(kind: 'mjs' | 'cjs', text: string): { code: number | null; output: string } {
  writeFileSync(join(project.path, `script.${kind}`), text);
  return run(process.execPath, ['--no-warnings', `script.${kind}`]);
}

const load = {
  mjs: (name: string): string => `await import('${name}')`,
  cjs: (name: string): string => `require('${name}')`,
};
const KINDS = ['mjs', 'cjs'] as const;

beforeAll(() => {
  project = new TemporaryFolder('packages');
  // Again and again: what one run leaves must not spare the next one its output.
  const made = [1, 2].map(() => {
    const { code, output: text } = run(process.execPath, ['scripts/packages.mjs'], root);
    // Another test may be making one of them.
    const output = text.replace(/^wss: waiting for process .*\n/gm, '');
    return { code, output, files: readdirSync(join(root, 'build/packages')).sort() };
  });
  expect(made[0]).toEqual({ code: 0, output: expect.any(String), files: ARCHIVES });
  expect(made[1]).toEqual(made[0]);
  for (const archive of ARCHIVES) unpack(archive);
  const { dependencies, peerDependencies, peerDependenciesMeta } = manifest();
  const needed = Object.keys({ ...dependencies, ...peerDependencies });
  link(...needed.filter((name) => !peerDependenciesMeta[name]));
}, TIMEOUT_MS);
afterAll(() => project?.remove());

describe('the packages', () => {
  it.each(KINDS)('need nothing but what their manifests require: %s', (kind) => {
    const text = KINDS.map((one) => one === kind && `${load[one]('reflect-metadata')}; `).filter(Boolean);
    const names = ['@wss/nest', '@wss/nest/contract', '@wss/client'];
    const script = names.map((name) => `console.log(Object.keys(${load[kind](name)}).length > 0);`);
    expect(node(kind, `${text.join('')}\n${script.join('\n')}\n`)).toEqual({
      code: 0,
      output: 'true\n'.repeat(names.length),
    });
  });

  it('export the same classes, of the same names, to import and require, in every subpath', () => {
    const { exports, peerDependenciesMeta } = manifest();
    link(...Object.keys(peerDependenciesMeta), '@nestjs/testing', '@nestjs/platform-fastify');
    const paths = Object.keys(exports).filter((path) => !['./package.json', './plugin'].includes(path));
    expect(paths).toEqual(['.', './testing', './contract', './metrics', './health']);
    const scripts = KINDS.map((kind) => {
      const lines = paths.map(
        (path) =>
          `console.log('${path}', Object.entries(${load[kind](`@wss/nest${path.slice(1)}`)}).map(named).sort().join());`,
      );
      const named = 'const named = ([name, value]) => `${name}:${value.name}`;';
      return node(kind, `${load[kind]('reflect-metadata')};\n${named}\n${lines.join('\n')}\n`);
    });
    expect(scripts[0]).toMatchObject({ code: 0, output: expect.stringContaining('WssModule') as unknown });
    expect(scripts[1]).toEqual(scripts[0]);
  });

  it.each(KINDS)('refuse to boot where the other build is loaded as well: %s', (kind) => {
    const nest = (one: (typeof KINDS)[number]): string => load[one]('@wss/nest');
    const attempts = (begin: string): unknown => {
      const lines = [
        kind === 'mjs' && "import { createRequire } from 'node:module';",
        kind === 'mjs' && 'const require = createRequire(import.meta.url);',
        `${load[kind]('reflect-metadata')};`,
        `const { WssModule, useWss } = ${nest(kind)};`,
        "const steps = [() => WssModule.forRoot({ auth: 'none' }), () => WssModule.forFeature([])];",
        'steps.push(() => useWss({ get: () => new Map() }));',
        "const attempt = (step) => { try { step(); return ''; } catch ({ message }) { return message; } };",
        `(async () => { ${begin}; console.log(JSON.stringify(steps.map(attempt))); })();`,
      ];
      const { code, output } = node(kind, lines.filter(Boolean).join('\n'));
      return code === 0 ? JSON.parse(output) : output;
    };
    expect(attempts('')).toEqual(['', '', expect.stringContaining('finds no WssModule')]);
    const refusal = expect.stringMatching(
      /loaded 2 times, from (?=.*dist.esm.nest)(?=.*dist.cjs.nest).*npm ls/,
    ) as unknown;
    expect(attempts(nest(kind === 'mjs' ? 'cjs' : 'mjs'))).toEqual([refusal, refusal, refusal]);
  });

  it('have nothing in them that the lists of their contents do not name', () => {
    const script = `import { readFileSync } from 'node:fs';
import { problemsOf } from './scripts/lib/package-contents.mjs';
const contents = JSON.parse(readFileSync('libs/nest/contents.json', 'utf8'));
const module = 'dist/esm/core/src/bind.js';
const map = (fields) => JSON.stringify({ sources: ['bind.ts'], sourcesContent: ['text'], ...fields });
const planted = [
  ['dist/esm/core/src/bind.spec.js', ''], ['dist/esm/core/src/bind.ts', ''], ['dist/esm/core/attic/dust.js', ''],
  ['dist/esm/testing/src/child/node.js', ''], ['dist/cjs/page/browser/app.js', ''], ['.env', ''], [module, ''],
  [module + '.map', map({ sourcesContent: undefined })], [module + '.map', map({ sources: ['../../bind.ts'] })],
  [module + '.map', map({})],
];
const of = (files, bytes) => problemsOf(contents, { files: new Map(files), bytes });
const fine = new Set(of([], {}));
const found = planted.map((file) => of([file], {}).filter((problem) => !fine.has(problem)).length > 0);
console.log(JSON.stringify([...found, of([], { packed: contents.most.packed + 1 }).length - fine.size]));`;
    const { code, output } = run(process.execPath, ['--input-type=module', '-e', script], root);
    const refused = Array.from({ length: 9 }, () => true);
    expect({ code, output: JSON.parse(output) as unknown }).toEqual({
      code: 0,
      output: [...refused, false, 1],
    });
  });

  it('name each package that their modules import', () => {
    const folder = join(project.path, 'node_modules/@wss/nest');
    const { dependencies, peerDependencies } = manifest();
    const known = Object.keys({ ...dependencies, ...peerDependencies });
    const modules = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(js|d\.ts)$/.test(path))
      .map((path) => readFileSync(join(folder, 'dist', path), 'utf8'));
    const names = modules.flatMap((text) =>
      [...text.matchAll(/(?:\bfrom |\bimport\(|\brequire\()["']([^."'][^"']*)["']/g)].map(
        ([, name]) => name!,
      ),
    );
    const packages = new Set(names.map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]));
    const unknown = [...packages].filter((name) => !known.includes(name) && !name.startsWith('node:'));
    expect(packages.size).toBeGreaterThan(5);
    expect(unknown).toEqual([]);
  });
});
