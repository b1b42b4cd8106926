import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../waiting/eventually.js';
import { freePort } from '../network/free-port.js';
import { hermeticEnv, ManagedProcess } from '../processes/managed-process.js';
import { redisCli } from './redis-cli.js';
import { TemporaryFolder } from '../processes/temporary-folder.js';

/** How a {@link RedisServer} is started. */
export interface RedisServerOptions {
  /**
   * Further arguments, e.g. `['--appendonly', 'yes']` or `['--replicaof', '127.0.0.1', '15001']`. They come after
   * ours (`--save '' --appendonly no --repl-diskless-sync-delay 0`) and win.
   */
  readonly args?: readonly string[];
  /** Listens on a Unix socket as well, see {@link RedisServer.socketPath}; default no. */
  readonly unixSocket?: boolean;
  /** The default user's password; default none. */
  readonly password?: string;
  /** Lines of a sentinel's configuration: it is started as one, then. Default none. */
  readonly sentinel?: readonly string[];
  /** The program; default `redis-server` of the `PATH`. */
  readonly binary?: string;
  /** How long it may take to answer, milliseconds, also when it loads its data; default 10,000. */
  readonly readyWithinMs?: number;
}

const READY_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 5_000;
const PORT_ATTEMPTS = 5;

class PortTaken extends Error {}

/**
 * A real Redis of one's own: on 127.0.0.1, with its own folder, without persistence unless the arguments ask for
 * it. It ends with this process at the latest.
 */
export class RedisServer {
  private process?: ManagedProcess;

  private constructor(
    /** Stays the same over restarts. */
    readonly port: number,
    private readonly folder: TemporaryFolder,
    private readonly options: RedisServerOptions,
  ) {}

  /**
   * Starts a server and waits until it answers.
   * @throws Error with the server's own log when it does not come up, or with the remedy when it is not installed
   */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(await freePort(), new TemporaryFolder('redis'), options);
      try {
        await server.run();
        return server;
      } catch (error) {
        await server.stop();
        if (!(error instanceof PortTaken) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  /** `redis://127.0.0.1:<port>`, with the password if there is one. */
  get url(): string {
    const { password } = this.options;
    const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
    return `redis://${user}127.0.0.1:${this.port}`;
  }

  /** @throws Error when the server was started without `unixSocket` */
  get socketPath(): string {
    if (!this.options.unixSocket) throw new Error('this Redis was started without unixSocket: true');
    return join(this.folder.path, 'redis.sock');
  }

  /** @throws Error when it does not run */
  get pid(): number {
    return this.running().pid;
  }

  /** Its log since the last start: the newest 5,000 lines. */
  get output(): readonly string[] {
    return this.process?.output.lines ?? [];
  }

  /** Ends the server in order (SIGTERM, after 5 s SIGKILL) and removes its folder. It can't be started again. */
  async stop(): Promise<void> {
    await this.process?.stop(STOP_WITHIN_MS);
    this.folder.remove();
  }

  /** Ends the server at once (SIGKILL); its folder stays for {@link restart}. */
  async kill(): Promise<void> {
    await this.process?.kill();
  }

  /**
   * Starts the server again on the same port, in the same folder, with the same arguments; in order first, if it
   * still runs. With an append-only file the data is back, else it is gone.
   * @throws Error with the server's log when it does not come up
   */
  async restart(): Promise<void> {
    await this.process?.stop(STOP_WITHIN_MS);
    await this.run();
  }

  /** Freezes the server (SIGSTOP): connections stay open without an answer. Resolves when it stands still. */
  async pause(): Promise<void> {
    await this.running().pause();
  }

  /** Lets a paused server go on. */
  resume(): void {
    this.running().resume();
  }

  /**
   * Sends one command over a connection of our own, e.g. `cli('CONFIG', 'SET', 'maxmemory', '1mb')`.
   * @returns the reply as ioredis decodes it
   * @throws Error when the server refuses the command, or does not answer within 5 s
   */
  cli(...args: readonly [string, ...(string | number)[]]): Promise<unknown> {
    return redisCli({ port: this.port, password: this.options.password }, ...args);
  }

  private running(): ManagedProcess {
    if (!this.process || this.process.ended) throw new Error(`the Redis on port ${this.port} does not run`);
    return this.process;
  }

  private async run(): Promise<void> {
    const { binary = 'redis-server', readyWithinMs = READY_WITHIN_MS } = this.options;
    const env = hermeticEnv({ LC_ALL: 'C' });
    const started = await ManagedProcess.start(binary, this.args(), { cwd: this.folder.path, env }).catch(
      (cause: unknown) => {
        throw new Error(`cannot run "${binary}": install redis-server (7.0 or newer)`, { cause });
      },
    );
    this.process = started;
    await this.waitUntilReady(started, readyWithinMs);
  }

  private args(): string[] {
    const { args = [], unixSocket, password } = this.options;
    const base = ['--bind', '127.0.0.1', '--port', String(this.port), '--dir', this.folder.path];
    const socket = unixSocket ? ['--unixsocket', this.socketPath] : [];
    const auth = password === undefined ? [] : ['--requirepass', password];
    if (this.options.sentinel)
      return [this.writeSentinelConfig(this.options.sentinel), '--sentinel', ...base];
    const speed = ['--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0'];
    return [...base, ...speed, ...socket, ...auth, ...args];
  }

  /** A sentinel keeps what it learns in its configuration, so a restart goes on with that. */
  private writeSentinelConfig(lines: readonly string[]): string {
    const file = join(this.folder.path, 'sentinel.conf');
    if (!existsSync(file)) writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }

  private async waitUntilReady(started: ManagedProcess, withinMs: number): Promise<void> {
    try {
      const state = await eventually(() => (started.ended ? 'ended' : this.answers(started)), { withinMs });
      if (state === 'ready') return;
    } catch (cause) {
      const log = started.output.tail();
      throw new Error(`the Redis on port ${this.port} does not answer:\n${log}`, { cause });
    }
    const log = await started.lastWords();
    const message = `the Redis on port ${this.port} ended at its start (${JSON.stringify(started.ended)}):\n${log}`;
    throw log.includes('Address already in use') ? new PortTaken(message) : new Error(message);
  }

  /** Another server may have taken the port and answer in its place, hence the look at its process id. */
  private async answers(started: ManagedProcess): Promise<'ready'> {
    await this.cli('PING');
    const info = String(await this.cli('INFO', 'server'));
    if (!info.includes(`process_id:${started.pid}\r`)) throw new Error('another server answers');
    return 'ready';
  }
}
