import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { eventually, freePort, ManagedProcess, TemporaryFolder } from '@wss/testing';
import { attempt, commandEnv, type CommandOptions, type CommandResult, run } from './command.js';

/** An application of the official template. */
export interface Template {
  /** Version of Nest and of its CLI; 12 is made of ES modules and tested by Vitest, 11 of CommonJS and Jest. */
  readonly nest: 11 | 12;
  readonly platform: 'express' | 'fastify';
}

/** A process of an application that listens. */
export interface Listening {
  readonly process: ManagedProcess;
  readonly port: number;
}

const START_WITHIN_MS = 60_000;
/** The paths of own files; in CommonJS they have no extension, as in the template. */
const OWN_IMPORT = /(from '\.{1,2}\/[^']+)\.js'/g;

/** A new application, as `nest new` makes it with the newest packages, in a folder that goes with this process. */
export class Application {
  private readonly parent: TemporaryFolder;
  private readonly started: ManagedProcess[] = [];

  private constructor(readonly template: Template) {
    this.parent = new TemporaryFolder(`nest-${template.nest}-${template.platform}`);
  }

  /** @throws Error with the output of the CLI or of npm when one of them fails */
  static async create(template: Template): Promise<Application> {
    const app = new Application(template);
    try {
      const cli = ['npx', '--yes', `@nestjs/cli@${template.nest}`] as const;
      const args = ['new', 'quiz', '--skip-git', '--package-manager', 'npm'];
      await run([...cli, ...args], { cwd: app.parent.path });
      if (template.platform === 'fastify') await app.moveToFastify();
      return app;
    } catch (error) {
      app.parent.remove();
      throw error;
    }
  }

  get folder(): string {
    return join(this.parent.path, 'quiz');
  }

  /** Ends its processes, and removes it. */
  async remove(): Promise<void> {
    await Promise.all(this.started.map((each) => each.kill()));
    this.parent.remove();
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  /** Writes a file that is shown for ES modules. */
  write(file: string, text: string): void {
    const path = join(this.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.template.nest === 11 ? text.replace(OWN_IMPORT, "$1'") : text);
  }

  /**
   * Changes a place of a file.
   * @throws Error when the file has no such place
   */
  edit(file: string, place: RegExp, text: string): void {
    const before = this.read(file);
    if (!place.test(before)) throw new Error(`${file} has no ${place}:\n${before}`);
    this.write(
      file,
      before.replace(place, () => text),
    );
  }

  /** @throws Error with the output when the command fails */
  run(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
    return run(command, { cwd: this.folder, ...options });
  }

  /** Runs a command that may fail. */
  attempt(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<CommandResult> {
    return attempt(command, { cwd: this.folder, ...options });
  }

  /** Starts a command that lasts; it ends with the application at the latest. */
  async launch(
    [command, ...args]: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv = {},
  ): Promise<ManagedProcess> {
    const options = { cwd: this.folder, env: commandEnv(env) };
    const process = await ManagedProcess.start(command, args, options);
    this.started.push(process);
    return process;
  }

  /**
   * Starts its build on a free port and waits until it listens.
   * @throws Error with the output when it ends first
   */
  async start(env: NodeJS.ProcessEnv = {}): Promise<Listening> {
    const port = await freePort();
    const process = await this.launch(['node', 'dist/main'], { PORT: String(port), ...env });
    await listens(process, port);
    return { process, port };
  }

  /** As the documentation of Nest says. */
  private async moveToFastify(): Promise<void> {
    await this.run(['npm', 'install', `@nestjs/platform-fastify@${this.template.nest}`]);
    const main = this.read('src/main.ts')
      .replace('create(AppModule)', 'create<NestFastifyApplication>(AppModule, new FastifyAdapter())')
      .replace(/app\.listen\(.*\);/, "app.listen(process.env.PORT ?? 3000, '0.0.0.0');");
    const names = '{ FastifyAdapter, NestFastifyApplication }';
    this.write('src/main.ts', `import ${names} from '@nestjs/platform-fastify';\n${main}`);
    await this.run(['npm', 'run', 'format']);
  }
}

/**
 * Waits until a process listens on a port of 127.0.0.1.
 * @throws Error with the output when it ends first
 */
export function listens(process: ManagedProcess, port: number): Promise<void> {
  return eventually(
    async () => {
      if (!process.ended) return accepts(port);
      return Promise.reject(new Error(`it ended: ${await process.lastWords()}`));
    },
    { withinMs: START_WITHIN_MS },
  );
}

function accepts(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
