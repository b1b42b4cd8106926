import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { FreshApplication, type TemplateName, TEMPLATES } from './schematics/fresh-application.js';
import { recordRun } from './schematics/recorded-run.js';
import { type Variation, variation } from './schematics/variations.js';

const TIMEOUT_MS = 180_000;
const VARIATIONS = process.env.CHAOS === 'long' ? 60 : 15;
const OPTIONS = { path: '/live', auth: 'none' };
const names = Object.keys(TEMPLATES) as TemplateName[];

interface Files {
  readonly main?: string;
  readonly module?: string;
  readonly more?: Readonly<Record<string, string>>;
}

const MODULE = "import { Module } from '@nestjs/common';\n\n@Module({})\nexport class AppModule {}\n";
const HOOKS =
  "import type { INestApplication } from '@nestjs/common';\n\nexport const prepare = (app: INestApplication) => app.enableShutdownHooks();\n";

describe.each(names)('nest add @wss/nest in an application of %s', (template) => {
  let app: FreshApplication;
  beforeAll(async () => {
    app = await FreshApplication.create(template);
  }, TIMEOUT_MS);
  afterAll(() => app?.remove());

  it(
    'makes its changes, as anybody would write them, and none the second time',
    async () => {
      const { end } = TEMPLATES[template];
      const [main, module] = [app.read('src/main.ts'), app.read('src/app.module.ts')];
      const settings = app.read('nest-cli.json');
      expect(await app.run('nest-add', { sourceRoot: 'src' })).toMatchObject({ warnings: [] });
      expect(app.read('src/main.ts')).toBe(
        main
          .replace("'@nestjs/core';\n", (all) => `${all}import { useWss } from '@wss/nest';\n`)
          .replace('(AppModule);\n', (all) => `${all}  useWss(app);\n  app.enableShutdownHooks();\n`),
      );
      expect(app.read('src/app.module.ts')).toBe(
        module
          .replace("'@nestjs/common';\n", (all) => `${all}import { WssModule } from '@wss/nest';\n`)
          .replace('imports: []', "imports: [WssModule.forRoot({ path: '/live', auth: 'none' })]"),
      );
      expect(app.read('nest-cli.json')).toBe(
        settings.replace('"deleteOutDir": true', (all) => `${all},\n    "plugins": ["@wss/nest/plugin"]`),
      );
      expect(app.complaints('src/main.ts')).toEqual([]);
      expect(app.read('src/main.ts')).toContain(`'./app.module${end}'`);
      expect(await app.run('nest-add', { sourceRoot: 'src' })).toEqual({ changes: [], warnings: [] });
    },
    TIMEOUT_MS,
  );

  it(
    'keeps the meaning and the form of applications of all kinds',
    async () => {
      const seed = newSeed();
      try {
        await addToVariations(app, template, new Random(seed));
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    },
    TIMEOUT_MS,
  );
});

describe('nest add @wss/nest', () => {
  let app: FreshApplication;
  beforeAll(async () => {
    app = await FreshApplication.create('Nest 12, ESM');
  }, TIMEOUT_MS);
  afterAll(() => app?.remove());

  const CORE = "import { NestFactory } from '@nestjs/core';\n";
  const OWN = "import { AppModule } from './app.module.js';\n";
  let cases = 0;
  /** Adds to a project of this main file and this module; tells what became of them. */
  const add = async (
    { main = '', module = MODULE, more = {} }: Files,
    sourceRoot = `apps/case${++cases}/src`,
  ) => {
    const files = { 'main.ts': main, 'app.module.ts': module, ...more };
    writeAll(app, sourceRoot, files);
    const { warnings, error } = await app.run('nest-add', { sourceRoot });
    expect(error).toBeUndefined();
    const changed = Object.entries(files)
      .filter(([path, text]) => app.read(`${sourceRoot}/${path}`) !== text)
      .map(([path]) => path);
    return { changed, warnings, read: (path: string) => app.read(`${sourceRoot}/${path}`) };
  };
  const BY_HAND = "import { useWss } from '@wss/nest';\n\n    useWss(app);\n    app.enableShutdownHooks();";
  const create = 'await NestFactory.create(AppModule)';

  it.each([
    ['a promise', 'void NestFactory.create(AppModule).then((app) => app.listen(3000));'],
    ['no variable', `await (${create}).listen(3000);`],
    [
      'a promise that is awaited later',
      'const made = NestFactory.create(AppModule);\nawait (await made).listen(3000);',
    ],
    [
      'a branch without a block',
      `let app;\nif (process.env.PORT) app = ${create};\nawait app!.listen(3000);`,
    ],
    [
      'two branches',
      `let app;\nif (process.env.PORT) { app = ${create}; } else { app = ${create}; }\nawait app.listen(3000);`,
    ],
    ['a pattern', `const { listen } = ${create};\nvoid listen;`],
    ['a statement that listens too', `const app = ${create}, server = await app.listen(3000);\nvoid server;`],
    ['a name that is taken', `const useWss = 1;\nconst app = ${create};\nawait app.listen(useWss);`],
  ])('changes no main file with %s, and says what to add', async (_, text) => {
    const { changed, warnings } = await add({ main: `${CORE}${OWN}\n${text}\n` });
    expect(changed).toEqual(['app.module.ts']);
    expect(warnings).toEqual([expect.stringMatching(/^apps\/case\d+\/src\/main\.ts was not changed: /)]);
    expect(warnings[0]).toContain(BY_HAND);
  });

  it.each([
    ['WsAdapter', 'useWss(app, { fallback: new WsAdapter(app) })'],
    ['IoAdapter', 'useWss(app, { fallback: new IoAdapter(app) })'],
  ])('leaves an application with %s to its author', async (adapter, remedy) => {
    const main = `${CORE}${OWN}const app = ${create};\napp.useWebSocketAdapter(new ${adapter}(app));\nawait app.listen(3000);\n`;
    const { changed, warnings } = await add({ main });
    expect(changed).toEqual(['app.module.ts']);
    expect(warnings).toEqual([expect.stringContaining('line 4 sets another WebSocket adapter')]);
    expect(warnings[0]!.includes(remedy)).toBe(adapter === 'IoAdapter');
  });

  const main = `${CORE}${OWN}const app = ${create};\nawait app.listen(3000);\n`;
  it.each([
    ['a spread', MODULE.replace('{}', '{ ...base }'), '...base in its @Module may hold imports too'],
    [
      'metadata elsewhere',
      MODULE.replace('{}', 'metadata'),
      'its @Module gets metadata, not an object in place',
    ],
    [
      'a getter',
      MODULE.replace('{}', '{ get imports() { return []; } }'),
      'the imports of its @Module are not a list',
    ],
    ['no decorator', 'export class AppModule {}\n', 'AppModule has no @Module'],
    [
      'a name that is taken',
      `class WssModule {}\n${MODULE}export { WssModule };\n`,
      'it uses the name "WssModule"',
    ],
  ])('changes no module with %s, and says what to add', async (_, module, problem) => {
    const { changed, warnings } = await add({ main, module });
    expect(changed).toEqual(['main.ts']);
    expect(warnings).toEqual([expect.stringContaining(`app.module.ts was not changed: ${problem}`)]);
    expect(warnings[0]).toContain(
      "import { WssModule } from '@wss/nest';\n\n    WssModule.forRoot({ path: '/live', auth: 'none' }),",
    );
  });

  it('says what to add where there is no main file, or none of TypeScript', async () => {
    const { warnings } = await app.run('nest-add', { sourceRoot: 'apps/nothing/src' });
    expect(warnings).toEqual([
      expect.stringContaining('The root module was not found'),
      expect.stringContaining('apps/nothing/src/main.ts was not changed: there is no such file'),
    ]);
  });

  it('adds only what is missing, wherever the rest stands', async () => {
    const module = MODULE.replace('{}', '{ imports: [CoreModule] }').replace(
      /^/,
      "import { CoreModule } from './core.module.js';\n",
    );
    const core = MODULE.replace(
      '{}',
      "{ imports: [WssModule.forRootAsync({ useFactory: () => ({ auth: 'none' }) })] }",
    )
      .replace('AppModule', 'CoreModule')
      .replace(/^/, "import { WssModule } from '@wss/nest';\n");
    const { changed, read } = await add({
      main,
      module,
      more: { 'core.module.ts': core, 'hooks.ts': HOOKS },
    });
    expect(changed).toEqual(['main.ts']);
    expect(read('main.ts')).toContain(`${create};\nuseWss(app);\nawait app.listen(3000);`);
  });

  it('finds the root module behind names of paths, barrels and default exports', async () => {
    app.edit('tsconfig.json', (text) =>
      text.replace('"rootDir"', '"paths": { "@app/*": ["./apps/case-paths/src/*"] },\n    "rootDir"'),
    );
    const barrel = "export { default as TheModule } from './app.module.js';\n";
    const module = MODULE.replace('export class AppModule', 'class AppModule').concat(
      'export default AppModule;\n',
    );
    const there = {
      main: main.replace("'./app.module.js'", "'@app/barrel.js'").replaceAll('AppModule', 'TheModule'),
      module,
    };
    const { changed, warnings } = await add(
      { ...there, more: { 'barrel.ts': barrel } },
      'apps/case-paths/src',
    );
    expect(warnings).toEqual([]);
    expect(changed.sort()).toEqual(['app.module.ts', 'main.ts']);
  });

  it('takes the entry file and the sources of a project', async () => {
    app.write(
      'nest-cli.json',
      JSON.stringify({ projects: { admin: { sourceRoot: 'apps/admin/src', entryFile: 'admin' } } }),
    );
    writeAll(app, 'apps/admin/src', { 'admin.ts': main, 'app.module.ts': MODULE });
    expect(await app.run('nest-add', { project: 'admin' })).toMatchObject({
      warnings: [],
      changes: expect.arrayContaining([
        'update apps/admin/src/admin.ts',
        'update apps/admin/src/app.module.ts',
      ]) as unknown,
    });
    expect((await app.run('nest-add', { project: 'amin' })).error).toBe(
      'nest-cli.json has no project "amin"; it has admin',
    );
  });

  describe('the plugin in nest-cli.json', () => {
    const plugins = ['@nestjs/swagger', { name: '@nestjs/graphql', options: { introspectComments: true } }];
    /** Adds to an application with these settings; tells what became of them. */
    const addTo = async (settings: object | string, options: { project?: string } = {}) => {
      const text = typeof settings === 'string' ? settings : `${JSON.stringify(settings, null, 2)}\n`;
      app.write('nest-cli.json', text);
      writeAll(app, 'apps/admin/src', { 'main.ts': main, 'app.module.ts': MODULE });
      const { error, warnings } = await app.run('nest-add', options);
      expect(error).toBeUndefined();
      const changed = app.read('nest-cli.json');
      return { warnings, text, changed, settings: JSON.parse(changed) as unknown };
    };
    const admin = { sourceRoot: 'apps/admin/src' };

    it('comes after those that are there, and keeps all other settings', async () => {
      const before = {
        sourceRoot: 'apps/admin/src',
        compilerOptions: { webpack: false, plugins },
        generateOptions: {},
      };
      expect((await addTo(before)).settings).toEqual({
        ...before,
        compilerOptions: { webpack: false, plugins: [...plugins, '@wss/nest/plugin'] },
      });
    });

    it('comes into the list that the Nest CLI reads for the project', async () => {
      const own = { ...admin, compilerOptions: { plugins } };
      expect((await addTo({ projects: { admin: own } }, { project: 'admin' })).settings).toEqual({
        projects: { admin: { ...admin, compilerOptions: { plugins: [...plugins, '@wss/nest/plugin'] } } },
      });
      const shared = { compilerOptions: { plugins }, projects: { admin: { ...admin, compilerOptions: {} } } };
      expect((await addTo(shared, { project: 'admin' })).settings).toEqual({
        ...shared,
        compilerOptions: { plugins: [...plugins, '@wss/nest/plugin'] },
      });
    });

    it.each([['@wss/nest/plugin'], ['@wss/nest'], [{ name: '@wss/nest/plugin', options: {} }]])(
      'is not listed twice: %j',
      async (plugin) => {
        const { changed, text } = await addTo({ ...admin, compilerOptions: { plugins: [plugin] } });
        expect(changed).toBe(text);
      },
    );

    it('keeps the indents and the line ends of the file', async () => {
      const before = { ...admin, compilerOptions: { deleteOutDir: true } };
      const { changed } = await addTo(JSON.stringify(before, null, '\t').replaceAll('\n', '\r\n'));
      expect(changed).toContain('\r\n\t\t"deleteOutDir": true,\r\n\t\t"plugins": [');
      expect(changed).not.toMatch(/[^\r]\n|\n$/);
    });

    it('is told where there is no list to add it to', async () => {
      const { changed, text, warnings } = await addTo({ ...admin, compilerOptions: { plugins: 'swagger' } });
      expect(changed).toBe(text);
      expect(warnings).toEqual([
        expect.stringMatching(
          /^nest-cli\.json was not changed: its "plugins" are not a list\. .*"@wss\/nest\/plugin"/s,
        ),
      ]);
    });
  });

  it('lists the packages that features import, in the range of the Nest that is there', async () => {
    const fresh = await FreshApplication.create('Nest 11');
    try {
      await fresh.run('nest-add', { sourceRoot: 'src' });
      const { dependencies } = JSON.parse(fresh.read('package.json')) as {
        dependencies: Record<string, string>;
      };
      expect(dependencies).toMatchObject({
        '@nestjs/microservices': dependencies['@nestjs/common'],
        '@nestjs/websockets': dependencies['@nestjs/common'],
        'class-transformer': expect.any(String) as unknown,
        'class-validator': expect.any(String) as unknown,
      });
      expect(Object.keys(dependencies)).toEqual(Object.keys(dependencies).sort());
      expect(dependencies).not.toHaveProperty('prom-client');
    } finally {
      await fresh.remove();
    }
  });
});

/** Each variation is a project of one repository, so that one compiler looks at all of them. */
async function addToVariations(app: FreshApplication, template: TemplateName, random: Random): Promise<void> {
  const all = Array.from({ length: VARIATIONS }, () => variation(random, TEMPLATES[template]));
  const roots = all.map((_, i) => `apps/v${i}/src`);
  all.forEach(({ files }, i) => writeAll(app, roots[i]!, files));
  const results = await app.runAll(
    'nest-add',
    roots.map((sourceRoot) => ({ sourceRoot })),
  );
  for (const complaint of app.complaints(...roots.map((sourceRoot) => `${sourceRoot}/main.ts`))) {
    const file = /^[^(]+/.exec(complaint)![0];
    throw new Error(`${complaint}\n${app.read(file)}`);
  }
  for (const [i, each] of all.entries()) {
    const changed = Object.fromEntries(
      Object.keys(each.files).map((file) => [file, app.read(`${roots[i]}/${file}`)]),
    );
    try {
      expect(results[i]!.error).toBeUndefined();
      expectForm(each, changed as Variation['files'], results[i]!.warnings);
      await expectMeaning(each, changed);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${changed['main.ts']}\n${changed['app.module.ts']}`, {
        cause: error,
      });
    }
  }
  const again = await app.runAll(
    'nest-add',
    roots.map((sourceRoot) => ({ sourceRoot })),
  );
  expect(again.flatMap(({ changes }) => changes)).toEqual([]);
}

function writeAll(app: FreshApplication, folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) app.write(`${folder}/${file}`, text);
}

/** Only what had to be added is new; comments, quotes, line ends and the rest of the layout stay. */
function expectForm(
  { files, variable, unclear }: Variation,
  changed: Variation['files'],
  warnings: string[],
): void {
  const main = changed['main.ts'];
  const quote = files['main.ts'].includes('"') ? '"' : "'";
  expect(changed['app.module.ts']).toContain(`forRoot({ path: ${quote}/live${quote}, auth: `);
  expect(changed['app.module.ts']).toContain(`import { WssModule } from ${quote}@wss/nest${quote}`);
  expectSameLines(files['app.module.ts'], changed['app.module.ts'], 7);
  if (unclear) {
    expect(main).toBe(files['main.ts']);
    expect(warnings).toEqual([expect.stringContaining('useWss(app);')]);
    return;
  }
  expect(warnings).toEqual([]);
  expectSameLines(files['main.ts'], main, 3);
  expect(main.split(`useWss(${variable})`)).toHaveLength(2);
  expect(main.split('enableShutdownHooks()')).toHaveLength(2);
}

/** All but a few lines of the file are as they were, and in their order. */
function expectSameLines(before: string, after: string, most: number): void {
  const kept = longestCommon(before.split('\n'), after.split('\n'));
  expect(before.split('\n').length - kept).toBeLessThanOrEqual(4);
  expect(after.split('\n').length - before.split('\n').length).toBeLessThanOrEqual(most);
  if (before.includes('\r\n')) expect(after).not.toMatch(/[^\r]\n/);
  const comments = /\/\/[^\r\n]*|\/\*.*?\*\//gs;
  expect(after.match(comments)).toEqual(before.match(comments));
}

/** The number of lines that two texts have in common, in the same order. */
function longestCommon(before: string[], after: string[]): number {
  let row = after.map(() => 0);
  for (const line of before) {
    const next: number[] = [];
    for (const [i, other] of after.entries()) {
      next.push(line === other ? (row[i - 1] ?? 0) + 1 : Math.max(row[i]!, next[i - 1] ?? 0));
    }
    row = next;
  }
  return row.at(-1)!;
}

async function expectMeaning({ unclear }: Variation, files: Record<string, string>): Promise<void> {
  const { calls, imports } = await recordRun(files);
  expect(imports).toContainEqual({ wss: OPTIONS });
  if (unclear) return;
  const name = calls.at(-1)!.split(' ')[0]!;
  const own = calls.filter((call) => call.startsWith(`${name} `) && !call.endsWith('setGlobalPrefix'));
  expect(own).toEqual(['create', 'useWss', 'enableShutdownHooks', 'listen'].map((call) => `${name} ${call}`));
  expect(calls.filter((call) => call.endsWith('useWss'))).toHaveLength(1);
}
