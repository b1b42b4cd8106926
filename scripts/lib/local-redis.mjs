import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './project.mjs';
import { ended } from './run.mjs';

const RETRY_MS = 50;

/** A Redis for one cluster, on this machine alone. Its data goes with it. */
export class LocalRedis {
  /**
   * Starts it; resolves when it answers.
   * @throws Failure when it ends instead
   */
  static async start(port) {
    const redis = new LocalRedis(port);
    const code = await Promise.race([redis.exited, redis.isListening()]);
    if (code === undefined) return redis;
    rmSync(redis.folder, { recursive: true, force: true });
    throw new Failure(`redis-server ended with code ${code}.`, `is port ${port} taken?`);
  }

  /** Its address, once it runs. */
  static urlAt(port) {
    return `redis://127.0.0.1:${port}`;
  }

  constructor(port) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'wss-redis-'));
    const options = ['--port', port, '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const more = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'];
    this.process = spawn('redis-server', [...options.map(String), ...more], {
      stdio: 'ignore',
      // Ctrl-C comes to us alone: the nodes end first.
      detached: true,
    });
    this.exited = ended(this.process).finally(() => (this.hasEnded = true));
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  async isListening() {
    while (!this.hasEnded) {
      const socket = connect(this.port, '127.0.0.1');
      const isConnected = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isConnected) return;
      await delay(RETRY_MS);
    }
  }
}
