import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { claim, ENTRY } from './build.mjs';
import { eachLine } from './lines.mjs';
import { identify } from './process-identity.mjs';
import { say } from './project.mjs';
import { ended, ENDING } from './run.mjs';

const STOP_WITHIN_MS = 30_000;
/** A line of its own, or the message of a JSON line. */
const READY = /\bwss node (\S+) is ready: (http:\/\/\S+:(\d+)\/)/;

/** The environment of a node that a developer starts: `AUTH=none` unless something is said about admission. */
export function nodeEnvironment(defaults = {}) {
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
  const isAdmissionGiven = Object.keys(given).some((name) => name === 'AUTH' || name.startsWith('JWT_'));
  return { ...(isAdmissionGiven ? {} : { AUTH: 'none' }), ...defaults, ...given };
}

/** True if a node of this environment writes JSON lines and nothing else. */
export function writesJson({ LOG_FORMAT, NODE_ENV }) {
  return LOG_FORMAT ? LOG_FORMAT === 'json' : NODE_ENV === 'production';
}

/** A running gateway process. It stands in a process group of its own: the terminal's Ctrl-C reaches it through us. */
export class GatewayNode {
  /**
   * @param print takes each line of its output but the one that says that it is ready: we sum up. Default: its output
   *   is ours, and it is never known to be ready.
   */
  constructor(folder, env, print) {
    const args = ['--enable-source-maps', join(folder, ENTRY)];
    const stdio = print ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const all = print ? { ...env, SUMMARY: 'line' } : env;
    this.process = spawn(process.execPath, args, { stdio, detached: true, env: all });
    this.exited = ended(this.process)
      .then((code) => (this.isOurs(code) ? 0 : code))
      .finally(() => (this.isRunning = false));
    this.isRunning = true;
    if (this.process.pid) claim(folder, identify(this.process.pid));
    /** Resolves to { nodeId, url, port } when it serves; to undefined when it ends before. */
    this.ready = print ? this.readUntilReady(print) : undefined;
  }

  get pid() {
    return this.process.pid;
  }

  signal(name) {
    if (!this.isRunning) return;
    this.asked = name;
    this.process.kill(name);
  }

  /** A process that does not hear signals yet is ended by the one that we send: nothing has begun in it. */
  isOurs(code) {
    return ENDING.includes(this.asked) && code === 128 + constants.signals[this.asked];
  }

  /**
   * Ends it in order, and by force when that takes too long.
   * @returns its exit code
   */
  async stop(signal = 'SIGTERM') {
    this.signal(signal);
    const timer = setTimeout(() => {
      say(`process ${this.pid} did not end within ${STOP_WITHIN_MS / 1_000} s: killed`);
      this.signal('SIGKILL');
    }, STOP_WITHIN_MS);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }

  readUntilReady(print) {
    return new Promise((resolve) => {
      eachLine([this.process.stdout, this.process.stderr], (line) => {
        const [, nodeId, url, port] = READY.exec(line) ?? [];
        if (nodeId) resolve({ nodeId, url, port: Number(port) });
        else print(line);
      });
      void this.exited.catch(() => undefined).then(() => resolve(undefined));
    });
  }
}
