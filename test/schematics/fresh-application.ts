import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { TemporaryFolder } from '@wss/testing';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RUNNER = fileURLToPath(new URL('run-schematics.mjs', import.meta.url));
const COLLECTION = join(root, 'libs/nest/schematics/collection.json');

/** The official templates: Nest 11, and the two of Nest 12. */
export const TEMPLATES = {
  'Nest 11': { schematics: '@nestjs/schematics-11', type: undefined, end: '' },
  'Nest 12, ESM': { schematics: '@nestjs/schematics', type: 'esm', end: '.js' },
  'Nest 12, CommonJS': { schematics: '@nestjs/schematics', type: 'cjs', end: '' },
} as const;
export type TemplateName = keyof typeof TEMPLATES;

/** Options of a schematic, as the CLI passes them. */
export type SchematicOptions = Readonly<Record<string, string | boolean>>;

/** The result of a schematic; it changed nothing if it had an error. */
export interface SchematicResult {
  /** E.g. `update src/main.ts`. */
  readonly changes: string[];
  readonly warnings: string[];
  readonly error?: string;
}

const parsed = new Map<string, ts.SourceFile>();

/** An application as `nest new` makes it, with the packages of this repository; our schematics run on it. */
export class FreshApplication {
  private readonly folder = new TemporaryFolder('application');
  readonly path = join(this.folder.path, 'app');

  /** One process for all schematics: loading them takes longer than running one. */
  private readonly runner: ChildProcess;
  private readonly ended: Promise<unknown>;

  private constructor(readonly template: TemplateName) {
    symlinkSync(join(root, 'node_modules'), join(this.folder.path, 'node_modules'));
    this.runner = fork(RUNNER, [TEMPLATES[template].schematics]);
    this.ended = once(this.runner, 'exit');
  }

  static async create(template: TemplateName): Promise<FreshApplication> {
    const app = new FreshApplication(template);
    const { schematics: collection, type } = TEMPLATES[template];
    const options = { name: 'app', strict: true, spec: true, ...(type && { type }) };
    await app.execute(app.folder.path, [{ collection, schematic: 'application', options }]);
    return app;
  }

  async remove(): Promise<void> {
    this.runner.disconnect();
    await this.ended;
    this.folder.remove();
  }

  /** Runs one of our schematics. */
  async run(schematic: 'nest-add' | 'feature', options: SchematicOptions): Promise<SchematicResult> {
    return (await this.runAll(schematic, [options]))[0]!;
  }

  /** Runs one of our schematics with several options, one after the other. */
  runAll(
    schematic: 'nest-add' | 'feature',
    options: readonly SchematicOptions[],
  ): Promise<SchematicResult[]> {
    const skipInstall = schematic === 'nest-add' ? { skipInstall: true } : {};
    return this.execute(
      this.path,
      options.map((each) => ({ collection: COLLECTION, schematic, options: { ...each, ...skipInstall } })),
    );
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text);
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  edit(path: string, change: (text: string) => string): void {
    const text = this.read(path);
    const changed = change(text);
    if (changed === text) throw new Error(`the edit of ${path} changed nothing`);
    this.write(path, changed);
  }

  /** The compiler's complaints about files of the application, unused imports among them. */
  complaints(...files: readonly string[]): string[] {
    const program = ts.createProgram({
      rootNames: files.map((file) => join(this.path, file)),
      options: this.compilerOptions(),
      host: this.compilerHost(),
    });
    const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(this.path));
    return own
      .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
      .map((each) => ts.formatDiagnostic(each, host(this.path)));
  }

  /** The template's own, with our sources in the places of our packages, and Jest's types for both runners. */
  private compilerOptions(): ts.CompilerOptions {
    const { config } = ts.readConfigFile(join(this.path, 'tsconfig.json'), ts.sys.readFile) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, this.path);
    return {
      ...options,
      rootDir: '/',
      noEmit: true,
      incremental: false,
      noUnusedLocals: true,
      types: ['node'],
      paths: {
        '@wss/nest/testing': [join(root, 'libs/testing/src/published/index.ts')],
        '@wss/nest': [join(root, 'libs/nest/src/index.ts')],
        '@wss/*': [join(root, 'libs/*/src/index.ts')],
        vitest: [join(root, 'node_modules/@jest/globals/build/index.d.ts')],
      },
    };
  }

  /** Keeps what is not of the application: the packages and our sources. */
  private compilerHost(): ts.CompilerHost {
    const compiler = ts.createCompilerHost({});
    const getSourceFile: typeof compiler.getSourceFile = (path, ...options) => {
      const known = parsed.get(path);
      if (known) return known;
      const file = compiler.getSourceFile(path, ...options);
      if (file && !path.startsWith(this.path)) parsed.set(path, file);
      return file;
    };
    return { ...compiler, getSourceFile, getCurrentDirectory: () => this.path };
  }

  private async execute(folder: string, jobs: readonly object[]): Promise<SchematicResult[]> {
    const answer = once(this.runner, 'message') as Promise<[SchematicResult[]]>;
    const early = this.ended.then(() => {
      throw new Error('the process that runs schematics has ended; see its error above');
    });
    this.runner.send(jobs.map((job) => ({ ...job, folder })));
    const [results] = await Promise.race([answer, early]);
    return results;
  }
}

function host(path: string): ts.FormatDiagnosticsHost {
  return {
    getCurrentDirectory: () => path,
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  };
}
