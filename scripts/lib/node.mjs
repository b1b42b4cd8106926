import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { claim, ENTRY } from './build.mjs';
import { identify } from './process-identity.mjs';
import { say } from './project.mjs';
import { ended } from './run.mjs';

const STOP_WITHIN_MS = 30_000;

/** The environment of a node that a developer starts: `AUTH=none` unless something is said about admission. */
export function nodeEnvironment(defaults = {}) {
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
  const isAdmissionGiven = Object.keys(given).some((name) => name === 'AUTH' || name.startsWith('JWT_'));
  return { ...(isAdmissionGiven ? {} : { AUTH: 'none' }), ...defaults, ...given };
}

/** A running gateway process. It stands in a process group of its own: the terminal's Ctrl-C reaches it through us. */
export class GatewayNode {
  /** @param options for `spawn`; `stdio` is the parent's unless given */
  constructor(folder, env, options = {}) {
    const args = ['--enable-source-maps', join(folder, ENTRY)];
    this.process = spawn(process.execPath, args, { stdio: 'inherit', detached: true, env, ...options });
    this.exited = ended(this.process).finally(() => (this.isRunning = false));
    this.isRunning = true;
    if (this.process.pid) claim(folder, identify(this.process.pid));
  }

  signal(name) {
    if (this.isRunning) this.process.kill(name);
  }

  /** Ends it in order, and by force when that takes too long. */
  async stop(withinMs = STOP_WITHIN_MS) {
    this.signal('SIGTERM');
    const timer = setTimeout(() => {
      say(`process ${this.process.pid} did not end within ${withinMs / 1000} s: killed`);
      this.signal('SIGKILL');
    }, withinMs);
    await this.exited;
    clearTimeout(timer);
  }
}
