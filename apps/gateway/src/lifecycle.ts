import { setTimeout as delay } from 'node:timers/promises';
import { type INestApplication, Logger } from '@nestjs/common';
import { Drain } from '@wss/messaging';
import type { Config } from './config.js';
import { Readiness } from './readiness.js';

/** What is kept of the shutdown's time for what comes after the clients have gone, ms. */
const CLOSING_MS = 3_000;

/**
 * How the process ends: on SIGTERM or SIGINT the node becomes unready and refuses upgrades, waits for the balancer,
 * lets its clients go, closes the application in order (Redis last) and exits 0. All of it is bounded; a second
 * signal ends it at once.
 */
export class Lifecycle {
  private readonly logger = new Logger(Lifecycle.name);
  private app?: INestApplication;
  private stopping = false;

  constructor(private readonly config: Config) {
    process.on('SIGTERM', () => this.onSignal('SIGTERM'));
    process.on('SIGINT', () => this.onSignal('SIGINT'));
  }

  /** From now on there is something to close; before that a signal ends the process right away. */
  attach(app: INestApplication): void {
    this.app = app;
  }

  private onSignal(signal: string): void {
    if (this.stopping) {
      this.logger.warn(`${signal} again: ending at once`);
      process.exit(1);
    }
    this.stopping = true;
    this.logger.log(`${signal}: shutting down`);
    if (!this.app) process.exit(0);
    void this.stop(this.app);
  }

  private async stop(app: INestApplication): Promise<void> {
    const { SHUTDOWN_TIMEOUT_MS } = this.config;
    const timer = setTimeout(() => {
      this.logger.error(`not done after ${SHUTDOWN_TIMEOUT_MS} ms: ending`);
      process.exit(1);
    }, SHUTDOWN_TIMEOUT_MS);
    try {
      await this.letClientsGo(app);
      await app.close();
    } catch (error) {
      this.logger.error(error);
      process.exit(1);
    }
    clearTimeout(timer);
    process.exit(0);
  }

  private async letClientsGo(app: INestApplication): Promise<void> {
    const { SHUTDOWN_TIMEOUT_MS, DRAIN_DELAY_MS, DRAIN_WINDOW_MS } = this.config;
    const deadline = Date.now() + Math.max(0, SHUTDOWN_TIMEOUT_MS - CLOSING_MS);
    const drain = app.get(Drain);
    app.get(Readiness).drain();
    drain.refuseNew();
    await delay(DRAIN_DELAY_MS);
    await drain.run({ windowMs: DRAIN_WINDOW_MS, deadline });
  }
}
