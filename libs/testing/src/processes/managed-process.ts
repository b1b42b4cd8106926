import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { entered } from '../lifetimes.js';
import { eventually } from '../waiting/eventually.js';
import { OutputLog } from './output-log.js';
import { processState } from './process-state.js';
import { reaper } from './reaper.js';

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Folder and environment of a process. */
export interface ManagedProcessOptions {
  readonly cwd?: string;
  /** The whole environment; {@link hermeticEnv} makes one. */
  readonly env: NodeJS.ProcessEnv;
}

/** The environment of a started process: the variables that it needs to run, and none that would configure it. */
export function hermeticEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, LC_ALL: 'C.UTF-8', ...extra };
}

/** A child process that can be stopped, killed and paused, and that does not outlive us. Signals reach it alone. */
export class ManagedProcess {
  readonly output: OutputLog;
  private readonly exitEvent: Promise<ProcessExit>;
  private exit?: ProcessExit;

  private constructor(private readonly child: ChildProcessByStdio<null, Readable, Readable>) {
    this.output = new OutputLog([child.stdout, child.stderr]);
    const released = child.pid === undefined ? () => undefined : this.enter(child.spawnargs);
    this.exitEvent = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        released();
        reaper.releaseProcess(this.pid);
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    this.letUsEnd();
  }

  /**
   * Starts a program; resolves when the system has started it, which says nothing about its readiness.
   *
   * @throws Error (`code` `ENOENT`) when there is no such program
   */
  static async start(
    command: string,
    args: readonly string[],
    options: ManagedProcessOptions,
  ): Promise<ManagedProcess> {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid !== undefined) reaper.watchProcess(child.pid);
    const started = new ManagedProcess(child);
    await once(child, 'spawn');
    return started;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves when the process has ended; never rejects. Reading it keeps our process running until then. */
  get exited(): Promise<ProcessExit> {
    this.child.ref();
    return this.exitEvent;
  }

  /** How the process ended; `undefined` while it runs. */
  get ended(): ProcessExit | undefined {
    return this.exit;
  }

  /**
   * Asks the process to end (SIGTERM), also a paused one, and kills it when it takes longer than `withinMs`
   * milliseconds: then the exit's signal is SIGKILL. For an ended process it returns how it ended.
   */
  async stop(withinMs: number): Promise<ProcessExit> {
    this.child.kill('SIGTERM');
    this.child.kill('SIGCONT');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process at once (SIGKILL); resolves when it is gone. */
  async kill(): Promise<ProcessExit> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  /**
   * Freezes the process (SIGSTOP): its connections stay open without an answer. Resolves when it stands still.
   * @throws Error when it has ended
   */
  async pause(): Promise<void> {
    this.signal('SIGSTOP');
    await eventually(async () => {
      const state = await processState(this.pid);
      if (state !== 'T') throw new Error(`process ${this.pid} is in state ${state}`);
    });
  }

  /**
   * Lets a paused process go on (SIGCONT).
   * @throws Error when it has ended
   */
  resume(): void {
    this.signal('SIGCONT');
  }

  /** The newest output, whole: to be called after the process has ended. */
  async lastWords(): Promise<string> {
    await this.output.ended;
    return this.output.tail();
  }

  private enter(command: readonly string[]): () => void {
    return entered(`process ${this.pid} (${command.join(' ')})`, () => this.kill());
  }

  /** A process that a spec forgot must not keep jest from ending; the reaper ends it then. */
  private letUsEnd(): void {
    this.child.unref();
    for (const stream of [this.child.stdout, this.child.stderr]) (stream as Socket).unref();
  }

  /**
   * Sends a signal and waits for nothing.
   * @throws Error when the process has ended
   */
  signal(signal: NodeJS.Signals): void {
    if (!this.child.kill(signal)) throw new Error(`process ${this.pid} has ended`);
  }
}
