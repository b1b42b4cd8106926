import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  FreshApplication,
  type SchematicOptions,
  type TemplateName,
  TEMPLATES,
} from './schematics/fresh-application.js';

const TIMEOUT_MS = 180_000;
const PRETTIER = fileURLToPath(new URL('../node_modules/prettier/bin/prettier.cjs', import.meta.url));
/** Jest's globals for applications whose tests import nothing; @types/jest is not among our packages. */
const GLOBALS = [
  "import type * as jest from '@jest/globals';",
  'declare global {',
  ...['afterAll', 'beforeAll', 'beforeEach', 'describe', 'expect', 'it'].map(
    (name) => `  const ${name}: typeof jest.${name};`,
  ),
  '}\n',
].join('\n');
const MODULE = "import { Module } from '@nestjs/common';\n\n@Module({})\nexport class SomeModule {}\n";
const PARTS = ['messages', 'document', 'handlers', 'module', 'spec'];

/** As the CLI passes them for `nest g -c @wss/nest feature <name>`. */
const asPassed = (name: string, options: SchematicOptions = {}): SchematicOptions => ({
  name,
  language: 'ts',
  collection: '@wss/nest',
  sourceRoot: 'src',
  spec: true,
  flat: false,
  specFileSuffix: 'spec',
  format: false,
  ...options,
});

const applications = new Map<TemplateName, FreshApplication>();
const application = async (template: TemplateName): Promise<FreshApplication> => {
  const app = applications.get(template) ?? (await FreshApplication.create(template));
  applications.set(template, app);
  return app;
};
afterAll(() => Promise.all([...applications.values()].map((app) => app.remove())));

describe.each(Object.keys(TEMPLATES) as TemplateName[])(
  'nest g feature in an application of %s',
  (template) => {
    const { end } = TEMPLATES[template];
    let app: FreshApplication;
    beforeAll(async () => {
      app = await application(template);
      app.write('src/globals.d.ts', GLOBALS);
    }, TIMEOUT_MS);

    /** Makes features, and sees that they compile, that no import is unused, and that Prettier would change nothing. */
    const expectSound = async (options: readonly SchematicOptions[]): Promise<string[]> => {
      const results = await app.runAll('feature', options);
      expect(results.map(({ error, warnings }) => [error, ...warnings])).toEqual(
        options.map(() => [undefined]),
      );
      const made = results.flatMap(({ changes }) => changes.map((change) => change.replace(/^\w+ /, '')));
      expect(app.complaints('src/globals.d.ts', 'src/app.module.ts', ...made)).toEqual([]);
      const { stdout, status } = spawnSync(process.execPath, [PRETTIER, '--check', ...new Set(made)], {
        cwd: app.path,
      });
      expect([status, String(stdout)]).toEqual([0, expect.any(String)]);
      return made;
    };

    it(
      'makes files that fit the application, and adds the module to it',
      async () => {
        const made = await expectSound([asPassed('poll')]);
        expect(made).toEqual([...PARTS.map((part) => `src/poll/poll.${part}.ts`), 'src/app.module.ts']);
        const module = app.read('src/app.module.ts');
        expect(module).toContain(`import { PollModule } from './poll/poll.module${end}';\n`);
        expect(module).toContain('imports: [PollModule],');
        expect(app.read('src/poll/poll.module.ts')).toContain(`from './poll.document${end}';`);
        const runner = template === 'Nest 12, ESM' ? " from 'vitest';" : undefined;
        const spec = app.read('src/poll/poll.spec.ts');
        expect(/ from '(vitest|@jest\/globals)';/.exec(spec)?.[0]).toBe(runner);
      },
      TIMEOUT_MS,
    );

    it(
      'takes names that are words of TypeScript, plural, short or long',
      async () => {
        const names = [
          'class',
          'default',
          'constructor',
          'new',
          'polls',
          'item',
          'x',
          'b2b-orders',
          'feature-cluster',
        ];
        await expectSound([...names, `a${'-long-name'.repeat(3)}`].map((name) => asPassed(name)));
      },
      TIMEOUT_MS,
    );
  },
);

describe('nest g feature', () => {
  let app: FreshApplication;
  beforeAll(async () => {
    app = await application('Nest 11');
  }, TIMEOUT_MS);

  it('refuses names that the server does not take, and those of classes that are there', async () => {
    const invalid = ['Poll', '-poll', '2polls', 'pay$', 'pôll', 'poll_two', 'poll--two', '', 'p'.repeat(33)];
    const taken = [
      'command',
      'wss',
      'type',
      'reply',
      'promise',
      'object',
      'gateway-error',
      'room-type',
      'is-string',
    ];
    const results = await app.runAll(
      'feature',
      [...invalid, ...taken].map((name) => asPassed(name)),
    );
    expect(results.map(({ error }) => error)).toEqual([
      ...invalid.map((name) =>
        expect.stringMatching(RegExp(`^"${name.replace('$', '.')}" is not a valid .* at most 32`)),
      ),
      ...taken.map(
        (name) => `"${name}" would make a class whose name is taken; choose another, e.g. my-${name}`,
      ),
    ]);
    expect(results.flatMap(({ changes }) => changes)).toEqual([]);
  });

  it('refuses what is there already, in the same folder or as a kind of room', async () => {
    await app.run('feature', asPassed('first'));
    expect((await app.run('feature', asPassed('first'))).error).toBe(
      'src/first/first.messages.ts is there already; choose another name or remove it',
    );
    expect((await app.run('feature', asPassed('games/first'))).error).toBe(
      'src/first/first.handlers.ts declares rooms "first" already; choose another name',
    );
  });

  it('takes folders of names and paths, and the nearest module', async () => {
    app.write('src/games/games.module.ts', MODULE);
    expect((await app.run('feature', asPassed('games/chess'))).changes).toContain(
      'update src/games/games.module.ts',
    );
    expect(app.read('src/games/games.module.ts')).toContain("'./chess/chess.module'");
    expect((await app.run('feature', asPassed('go', { path: 'games/board' }))).changes).toContain(
      'create src/games/board/go/go.module.ts',
    );
    expect(app.read('src/games/games.module.ts')).toContain("'./board/go/go.module'");
    const { changes } = await app.run('feature', asPassed('dice', { path: 'games', flat: true }));
    expect(changes).toContain('create src/games/dice.module.ts');
    expect(app.read('src/games/games.module.ts')).toContain("'./dice.module'");
  });

  it('makes no test, another suffix, or no import, as it is told', async () => {
    const without = await app.run('feature', asPassed('without', { spec: false, skipImport: true }));
    expect(without.changes).toEqual(PARTS.slice(0, 4).map((part) => `create src/without/without.${part}.ts`));
    const other = await app.run('feature', asPassed('other', { specFileSuffix: 'test' }));
    expect(other.changes).toContain('create src/other/other.test.ts');
  });

  it('says which module was not changed, and what to add', async () => {
    app.write('lib/lonely/src/index.ts', '');
    const lonely = await app.run('feature', asPassed('lonely', { sourceRoot: 'lib/lonely/src' }));
    expect(lonely.warnings).toEqual([
      "no file of a module was found. Add LonelyModule to the imports of a module:\n    import { LonelyModule } from './lonely/lonely.module';",
    ]);
    app.write('lib/odd/src/odd.module.ts', MODULE.replace('{}', '{ ...base }'));
    const odd = await app.run('feature', asPassed('strange', { sourceRoot: 'lib/odd/src' }));
    expect(odd.changes).not.toContain('update lib/odd/src/odd.module.ts');
    expect(odd.warnings).toEqual([
      expect.stringContaining(
        'lib/odd/src/odd.module.ts was not changed: ...base in its @Module may hold imports too',
      ),
    ]);
  });

  it('ends imports as the module next to it does, else by the type of the package', async () => {
    app.write('lib/esm/package.json', '{ "type": "module" }');
    app.write('lib/esm/src/esm.module.ts', MODULE);
    await app.run('feature', asPassed('by-type', { sourceRoot: 'lib/esm/src' }));
    expect(app.read('lib/esm/src/by-type/by-type.module.ts')).toContain("'./by-type.document.js'");
    app.write('lib/ts/src/ts.module.ts', `${MODULE}import './side.ts';\n`);
    await app.run('feature', asPassed('by-neighbor', { sourceRoot: 'lib/ts/src' }));
    expect(app.read('lib/ts/src/by-neighbor/by-neighbor.module.ts')).toContain("'./by-neighbor.document.ts'");
  });

  const VITEST = { vitest: '^4.0.0' };
  const JEST = { jest: '^30.0.0', '@types/jest': '^30.0.0' };
  it.each([
    ['Vitest', { devDependencies: VITEST }, 'vitest'],
    ['Jest with globals', { devDependencies: JEST }, undefined],
    ['Jest with imports', { devDependencies: { ...JEST, '@jest/globals': '^30.0.0' } }, '@jest/globals'],
    ['Jest without types', { devDependencies: { jest: '^30.0.0' } }, '@jest/globals'],
    ['Jest that injects nothing', { devDependencies: JEST, jest: { injectGlobals: false } }, '@jest/globals'],
    [
      'both, where npm test runs Jest',
      { devDependencies: { ...VITEST, ...JEST }, scripts: { test: 'jest' } },
      undefined,
    ],
    [
      'both, where npm test runs Vitest',
      { devDependencies: { ...VITEST, ...JEST }, scripts: { test: 'vitest run' } },
      'vitest',
    ],
  ])('writes the test for %s', async (title, content, runner) => {
    const folder = `lib/${title.replace(/\W/g, '')}`;
    const name = `r-${title.toLowerCase().replace(/\W+/g, '-')}`.slice(0, 32).replace(/-$/, '');
    // The application's own package.json counts too, as in a repository of several.
    const own = app.read('package.json');
    app.write('package.json', JSON.stringify(content));
    await app.run('feature', asPassed(name, { sourceRoot: `${folder}/src` }));
    app.write('package.json', own);
    const spec = app.read(`${folder}/src/${name}/${name}.spec.ts`);
    expect(/ from '(vitest|@jest\/globals)';/.exec(spec)?.[1]).toBe(runner);
  });

  it('makes no test without a runner, and says so', async () => {
    const own = app.read('package.json');
    app.write('package.json', '{}');
    const { changes, warnings } = await app.run('feature', asPassed('untested'));
    app.write('package.json', own);
    expect(changes).not.toContain('create src/untested/untested.spec.ts');
    expect(warnings).toEqual(['package.json has neither Jest nor Vitest, so the feature has no test.']);
  });
});
