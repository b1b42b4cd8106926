import * as common from '@nestjs/common';
import ts from 'typescript';

/** Calls of a main file in their order, each with the application that it was for: `app1 create`, `app1 listen`. */
export interface RecordedRun {
  readonly calls: readonly string[];
  /** The imports of the module that was created. */
  readonly imports: readonly unknown[];
}

type Exports = Record<string, unknown>;
const AsyncFunction = (async () => undefined).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<void>;

/** Runs the files of an application with a Nest that only writes down what is asked of it. */
export async function recordRun(files: Readonly<Record<string, string>>): Promise<RecordedRun> {
  const recorder = new Recorder();
  const loaded = new Map<string, Exports>();
  const load = (name: string): Exports => {
    if (!name.startsWith('.')) return recorder.packages[name]!;
    const path = `${name.replace(/^\.\//, '').replace(/\.js$/, '')}.ts`;
    const known = loaded.get(path);
    if (known) return known;
    const exported: Exports = {};
    loaded.set(path, exported);
    // eslint-disable-next-line no-new-func
    new Function('require', 'exports', compiled(files[path]!))(load, exported);
    return exported;
  };
  await new AsyncFunction('require', 'exports', compiled(files['main.ts']!))(load, {});
  await recorder.listening;
  return { calls: recorder.calls, imports: recorder.imports };
}

class Recorder {
  readonly calls: string[] = [];
  imports: unknown[] = [];
  readonly packages: Readonly<Record<string, Exports>>;
  readonly listening: Promise<void>;
  private heard!: () => void;
  private created = 0;

  constructor() {
    this.listening = new Promise((resolve) => (this.heard = resolve));
    const create = (module: unknown) => Promise.resolve(this.create(module));
    this.packages = {
      '@nestjs/common': common,
      '@nestjs/core': {
        NestFactory: { create, createApplicationContext: () => Promise.resolve({ close: () => undefined }) },
      },
      '@nestjs/platform-fastify': { FastifyAdapter: class {} },
      '@wss/nest': {
        WssModule: { forRoot: (options: unknown) => ({ wss: options }) },
        useWss: (app: { name: string }) => this.calls.push(`${app.name} useWss`),
      },
    };
  }

  private create(module: unknown): object {
    const target = (module as { module?: object }).module ?? (module as object);
    this.imports = (Reflect.getMetadata('imports', target) as unknown[] | undefined) ?? [];
    const name = `app${++this.created}`;
    const tell = (what: string) => () => void this.calls.push(`${name} ${what}`);
    const listen = (port: unknown) => {
      tell('listen')();
      if (port !== 3001) this.heard();
    };
    tell('create')();
    return {
      name,
      listen,
      init: tell('init'),
      setGlobalPrefix: tell('setGlobalPrefix'),
      enableShutdownHooks: tell('enableShutdownHooks'),
    };
  }
}

function compiled(text: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    experimentalDecorators: true,
  };
  return ts.transpileModule(text, { compilerOptions }).outputText.replace(/^#!.*/, '');
}
