import type { Random } from '@wss/testing';

/** An application as people write them: its files, and the variable that holds what listens. */
export interface Variation {
  readonly files: Readonly<Record<'main.ts' | 'app.module.ts' | 'other.module.ts' | 'root.ts', string>>;
  readonly variable: string;
  /** True if the main file leaves open which application is meant, so that nothing may be changed in it. */
  readonly unclear: boolean;
}

interface Style {
  readonly quote: string;
  readonly semi: string;
  readonly indent: string;
  readonly newline: string;
  /** The ending of relative imports. */
  readonly end: string;
  /** True in ES modules only. */
  readonly awaitsAtTop: boolean;
}

export function variation(random: Random, { end }: { readonly end: string }): Variation {
  const style: Style = {
    quote: random.pick(["'", "'", '"']),
    semi: random.pick([';', ';', '']),
    indent: random.pick(['  ', '  ', '    ', '\t']),
    newline: random.pick(['\n', '\n', '\r\n']),
    end,
    awaitsAtTop: end !== '',
  };
  const main = mainFile(random, style);
  const files = { 'main.ts': main.text, 'app.module.ts': moduleFile(random, style), ...OTHERS(style) };
  const typeset = (text: string): string =>
    text.replaceAll("'", style.quote).replaceAll('\t', style.indent).replaceAll('\n', style.newline);
  return {
    ...main,
    files: Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, typeset(text)]),
    ) as Variation['files'],
  };
}

const OTHERS = ({ end, semi }: Style) => ({
  'other.module.ts': [
    `import { Module } from '@nestjs/common'${semi}`,
    `@Module({})\nexport class OtherModule {}`,
    `@Module({})\nexport class ThirdModule {}\n`,
  ].join('\n'),
  'root.ts': `export * from './app.module${end}'${semi}\n`,
});

interface MainParts {
  readonly factory: string;
  readonly module: string;
  readonly imports: string[];
}

function mainFile(random: Random, style: Style): Omit<Variation, 'files'> & { text: string } {
  const variable = random.pick(['app', 'app', 'server', 'nest$', 'theApplication']);
  const { semi } = style;
  const parts = { ...importedFactory(random, style), ...importedModule(random, style) };
  const imports = [...parts.core, ...parts.own];
  const { lines, unclear } = bootstrap(random, style, variable, { ...parts, imports });
  const header = random.pick([
    '',
    '',
    '// Starts the application.\n',
    '#!/usr/bin/env node\n',
    '/* It starts\n   here. */\n\n',
  ]);
  const text = `${header}${imports.join('\n')}\n\n${wrapped(random, style, lines).join('\n')}\n`;
  return { variable, unclear, text: semi ? text : text.replace(/;$/gm, '') };
}

function importedFactory(random: Random, { semi }: Style): { factory: string; core: string[] } {
  return random.pick([
    { factory: 'NestFactory', core: [`import { NestFactory } from '@nestjs/core'${semi}`] },
    { factory: 'NestFactory', core: [`import {\n\tNestFactory,\n} from '@nestjs/core'${semi} // Nest`] },
    { factory: 'Factory', core: [`import { NestFactory as Factory } from '@nestjs/core'${semi}`] },
    { factory: 'core.NestFactory', core: [`import * as core from '@nestjs/core'${semi}`] },
  ]);
}

function importedModule(random: Random, { end, semi }: Style): { module: string; own: string[] } {
  const from = random.pick(['./app.module', './app.module', './root']);
  const [module, name] = random.pick([
    ['AppModule', 'AppModule'],
    ['AppModule', 'AppModule'],
    ['AppModule.register()', 'AppModule'],
    ['Root', 'AppModule as Root'],
  ]);
  return { module, own: [`import { ${name} } from '${from}${end}'${semi}`] };
}

function bootstrap(
  random: Random,
  style: Style,
  variable: string,
  parts: MainParts,
): { lines: string[]; unclear: boolean } {
  const { semi } = style;
  const { factory, module, imports } = parts;
  const before = random.pick([
    [],
    [],
    [
      `const context = await ${factory}.createApplicationContext(${module})${semi}`,
      `await context.close()${semi}`,
    ],
    [`const spare = await ${factory}.create(${module})${semi}`, `await spare.init()${semi}`],
    [`const second = await ${factory}.create(${module})${semi}`, `await second.listen(3001)${semi}`],
  ]);
  const between = random.pick([
    [],
    [''],
    [`${variable}.setGlobalPrefix('api')${semi}`, ''],
    ['// It listens below.'],
    ['', '/* now', '   it listens */'],
    [`${variable}.enableShutdownHooks()${semi}`],
  ]);
  const created = createLines(random, style, variable, { factory, module, imports });
  const listen = random.pick(['3000', 'process.env.PORT ?? 3000', "3000, '0.0.0.0'"]);
  return {
    lines: [...before, ...created, ...between, `await ${variable}.listen(${listen})${semi}`],
    unclear: before.some((line) => line.includes('second.listen')),
  };
}

function createLines(
  random: Random,
  { semi }: Style,
  variable: string,
  { factory, module, imports }: MainParts,
): string[] {
  const typed = (): string => {
    imports.push(`import { type INestApplication } from '@nestjs/common'${semi}`);
    return 'INestApplication';
  };
  const fastify = (): string => {
    imports.unshift(
      `import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'${semi}`,
    );
    return `await ${factory}.create<NestFastifyApplication>(${module}, new FastifyAdapter())`;
  };
  const remark = random.pick(['', '', ' // the application', ' /* it */']);
  const create = `await ${factory}.create(${module})`;
  return random.pick([
    () => [`const ${variable} = ${create}${semi}${remark}`],
    () => [`const ${variable} = ${fastify()}${semi}${remark}`],
    () => [
      `const ${variable} = await ${factory}.create(`,
      `\t${module},`,
      '\t{ logger: false },',
      `)${semi}${remark}`,
    ],
    () => [`let ${variable}: ${typed()}${semi}`, `${variable} = ${create}${semi}${remark}`],
    () => [`const ${variable} = (${create}) as ${typed()}${semi}${remark}`],
    () => [`const ${variable} = ${create}, started = new Date()${semi}`, `console.assert(started)${semi}`],
  ])();
}

function wrapped(random: Random, { semi, awaitsAtTop }: Style, lines: string[]): string[] {
  const within = lines.map((line) => (line === '' ? line : `\t${line}`));
  const deeper = within.map((line) => (line === '' ? line : `\t${line}`));
  const isLine = lines.every((line) => !/\/[/*]|\*\//.test(line) && line !== '');
  return random.pick([
    () => ['async function bootstrap() {', ...within, '}', `void bootstrap()${semi}`],
    () => [
      'const bootstrap = async (): Promise<void> => {',
      ...within,
      `}${semi}`,
      `void bootstrap()${semi}`,
    ],
    () => [`${semi ? '' : ';'}(async () => {`, ...within, `})().catch(console.error)${semi}`],
    () => [
      'async function bootstrap() {',
      '\ttry {',
      ...deeper,
      '\t} finally {',
      `\t\tconsole.assert(true)${semi}`,
      '\t}',
      '}',
      `void bootstrap()${semi}`,
    ],
    () => (awaitsAtTop ? lines : ['async function bootstrap() {', ...within, '}', `void bootstrap()${semi}`]),
    () =>
      isLine && semi
        ? [
            `async function bootstrap() { ${lines.join(' ').replaceAll('\t', '')} }`,
            `void bootstrap()${semi}`,
          ]
        : [`void (async () => {`, ...within, `})()${semi}`],
  ])();
}

/** Forms of the `imports` of a module; `undefined` for none. */
const IMPORTS = [
  undefined,
  '[]',
  '[ ]',
  '[/* none yet */]',
  '[\n\t\t// none yet\n\t]',
  '[ // none\n\t]',
  '[OtherModule]',
  '[OtherModule, ThirdModule,]',
  '[OtherModule, // the first\n\t]',
  '[\n\t\tOtherModule,\n\t\tThirdModule, // the last\n\t]',
  '[\n\t\tOtherModule,\n\t\tThirdModule // the last\n\t]',
  '[\n\t\tOtherModule, /* and */ ThirdModule\n\t]',
  '[\n\t\tOtherModule,\n\t\t// ThirdModule,\n\t]',
  '[...shared]',
  '[\n\t\t...shared,\n\t\tforwardRef(() => ThirdModule),\n\t]',
  '[...(process.env.THIRD ? [ThirdModule] : [])]',
  'process.env.THIRD ? [ThirdModule] : []',
  'shared',
  '[OtherModule].concat(ThirdModule)',
  '(shared)',
];

function moduleFile(random: Random, { end, semi }: Style): string {
  const imports = random.pick([...IMPORTS, 'shorthand']);
  const name = random.pick(['imports', 'imports', 'imports', "'imports'"]);
  const property =
    imports === 'shorthand' ? ['imports'] : imports === undefined ? [] : [`${name}: ${imports}`];
  const others = random.pick([
    [],
    ['controllers: []'],
    ['providers: []'],
    ['controllers: []', 'providers: []'],
  ]);
  const properties = random.pick([
    [...property, ...others],
    [...others, ...property],
  ]);
  const metadata = random.pick([oneLine, manyLines, manyLines, withoutComma])(properties);
  const decorator = random.pick(['Module', 'Module', 'NestModule', 'nest.Module']);
  const opened = random.pick([
    `@${decorator}(${metadata})`,
    `@${decorator}(\n\t${metadata}\n)`,
    `@Global()\n@${decorator}(${metadata})`,
  ]);
  return [
    ...moduleImports(
      { decorator, used: `${opened}${imports ?? ''}`, shared: /shared|shorthand/.test(imports ?? '') },
      end,
      semi,
    ),
    '',
    ...(/shared/.test(imports ?? '') ? [`const shared = [OtherModule]${semi}`, ''] : []),
    ...(imports === 'shorthand' ? [`const imports = [OtherModule]${semi}`, ''] : []),
    ...random.pick([[], [`${`@${decorator}({ providers: [] })`}\nexport class FirstModule {}`, '']]),
    opened,
    'export class AppModule {',
    `\tstatic register(): DynamicModule {\n\t\treturn { module: AppModule }${semi}\n\t}`,
    '}',
    '',
  ].join('\n');
}

function moduleImports(
  { decorator, used, shared }: { decorator: string; used: string; shared: boolean },
  end: string,
  semi: string,
): string[] {
  const common = [
    'type DynamicModule',
    ...(used.includes('Global') ? ['Global'] : []),
    ...(used.includes('forwardRef') ? ['forwardRef'] : []),
  ];
  if (decorator === 'Module') common.push('Module');
  if (decorator === 'NestModule') common.push('Module as NestModule');
  const own = ['OtherModule', 'ThirdModule'].filter(
    (each) => (shared && each === 'OtherModule') || new RegExp(`^(?!\\s*//).*\\b${each}\\b`, 'm').test(used),
  );
  return [
    ...(decorator === 'nest.Module' ? [`import * as nest from '@nestjs/common'${semi}`] : []),
    `import { ${common.join(', ')} } from '@nestjs/common'${semi}`,
    ...(own.length > 0 ? [`import { ${own.join(', ')} } from './other.module${end}'${semi}`] : []),
  ];
}

const oneLine = (properties: string[]): string =>
  properties.length > 0 ? `{ ${properties.join(', ')} }` : '{}';
const manyLines = (properties: string[]): string =>
  `{\n${properties.map((each) => `\t${each},\n`).join('')}}`;
const withoutComma = (properties: string[]): string =>
  `{\n${properties.map((each) => `\t${each}`).join(',\n')}\n}`;
