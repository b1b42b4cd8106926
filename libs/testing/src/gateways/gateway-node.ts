import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hermeticEnv, ManagedProcess, type ProcessExit } from '../processes/managed-process.js';
import { patience } from '../waiting/patience.js';

/** How a {@link GatewayNode} is started. */
export interface GatewayNodeOptions {
  /** `REDIS_SERVER` of the node; default none: the memory engine. */
  readonly redis?: string;
  /**
   * Further variables; they win over ours (`AUTH=none`, `NODE_ENV=test`). Nothing of our own environment but `PATH`,
   * `HOME` and `TMPDIR` reaches the node.
   */
  readonly env?: NodeJS.ProcessEnv;
  /** The script to run; default the built gateway, `dist/apps/gateway/src/main.js`. */
  readonly entry?: string;
  /** How long it may take to say that it is ready, milliseconds; default 60,000. */
  readonly readyWithinMs?: number;
}

/** A line of its own, or the message of a line in JSON. */
const READY = /^(?:\{.*"message":")?wss node (\S+) is ready: http:\/\/127\.0\.0\.1:(\d+)\/(?:".*\})?$/;
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;

/** One real gateway process on a random port of 127.0.0.1. It ends with this process at the latest. */
export class GatewayNode {
  private constructor(
    private readonly process: ManagedProcess,
    /** The node's incarnation, as it said itself. */
    readonly nodeId: string,
    readonly port: number,
  ) {}

  /**
   * Starts a gateway and waits for its line `wss node <nodeId> is ready: http://127.0.0.1:<port>/`, which is its last
   * of the start; with `LOG_FORMAT=json` the message of one.
   * @throws Error with the process's output when it ends or the time is over first, or when there is no build
   */
  static async start(options: GatewayNodeOptions = {}): Promise<GatewayNode> {
    const process = await GatewayNode.launch(options);
    try {
      const { readyWithinMs = READY_WITHIN_MS } = options;
      const [, nodeId, port] = await process.output.waitFor(READY, readyWithinMs);
      return new GatewayNode(process, nodeId!, Number(port));
    } catch (cause) {
      const exit = await process.kill();
      const output = await process.lastWords();
      throw new Error(`the gateway did not become ready (${JSON.stringify(exit)}):\n${output}`, { cause });
    }
  }

  /** Starts a gateway and does not wait for it: for tests of the start itself. */
  static launch({ redis, env, entry }: GatewayNodeOptions = {}): Promise<ManagedProcess> {
    return ManagedProcess.start(nodeBinary, [resolveEntry(entry)], {
      env: hermeticEnv({ AUTH: 'none', NODE_ENV: 'test', REDIS_SERVER: redis, ...env }),
    });
  }

  /** For clients: `ws://127.0.0.1:<port>/`. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  /** `http://127.0.0.1:<port>/`. */
  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** HTTP status of its readiness: 200 while it may get clients, else 503. */
  async readiness(): Promise<number> {
    return (await fetch(new URL('health/ready', this.httpUrl))).status;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Lines of both output streams, the newest 5,000; the array grows. */
  get output(): readonly string[] {
    return this.process.output.lines;
  }

  /** Resolves when the process has ended, however; never rejects. */
  get exited(): Promise<ProcessExit> {
    return this.process.exited;
  }

  /**
   * Finds the first line of the output that matches, among those already here or still to come.
   *
   * @param withinMs milliseconds; default that of all waits
   * @returns the match; its `input` is the line
   * @throws Error with the output when the time is over or the process ends first
   */
  waitForLine(pattern: RegExp, withinMs = patience()): Promise<RegExpMatchArray> {
    return this.process.output.waitFor(pattern, withinMs);
  }

  /**
   * Ends the node in order (SIGTERM), and by force when that takes longer than `withinMs` milliseconds (default 20,000).
   * @returns its exit code, 0 when all went well; `null` when it had to be killed or a signal ended it
   */
  async stop(withinMs = STOP_WITHIN_MS): Promise<number | null> {
    return (await this.process.stop(withinMs)).code;
  }

  /** Sends a signal that the node handles itself, e.g. SIGTERM, and waits for nothing. */
  signal(signal: 'SIGTERM' | 'SIGINT'): void {
    this.process.signal(signal);
  }

  /** Ends the node at once (SIGKILL); resolves when it is gone. */
  async kill(): Promise<void> {
    await this.process.kill();
  }

  /** Freezes the node (SIGSTOP): connections stay open without an answer. Resolves when it stands still. */
  async pause(): Promise<void> {
    await this.process.pause();
  }

  /** Lets a paused node go on. */
  resume(): void {
    this.process.resume();
  }
}

const nodeBinary = process.execPath;

/** The real path, so that a node keeps its files when a newer build takes the place of `dist`. */
function resolveEntry(entry = join(repositoryRoot(), 'dist/apps/gateway/src/main.js')): string {
  // Set by our test runs: an old build would let the tests of new sources pass.
  if (process.env.WSS_TEST_BUILD === 'absent') {
    throw new Error(
      'this run has no build of these sources: tools/jest/needs.mjs did not see that this spec needs one',
    );
  }
  if (!existsSync(entry)) throw new Error(`${entry} does not exist: run "npm run build" first`);
  return realpathSync(entry);
}

/** We run from `libs/testing/src` as well as from the build, so the depth differs. */
function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nest-cli.json'))) {
    if (folder === dirname(folder)) throw new Error('no nest-cli.json above this file');
    folder = dirname(folder);
  }
  return folder;
}
