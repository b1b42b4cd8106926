import { type INestApplication, Logger } from '@nestjs/common';

/**
 * Ends the process on SIGTERM and SIGINT: the application is closed in order, within a bound, and the exit code is
 * 0. A second signal ends it at once.
 */
export class Shutdown {
  private readonly logger = new Logger(Shutdown.name);
  private app?: INestApplication;
  private stopping = false;

  /** @param timeoutMs bound of the whole shutdown, ms */
  constructor(private readonly timeoutMs: number) {
    process.on('SIGTERM', () => this.onSignal('SIGTERM'));
    process.on('SIGINT', () => this.onSignal('SIGINT'));
  }

  /** From now on there is something to close. */
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
    void this.close(this.app);
  }

  private async close(app: INestApplication): Promise<void> {
    const timer = setTimeout(() => {
      this.logger.error(`not done after ${this.timeoutMs} ms: ending`);
      process.exit(1);
    }, this.timeoutMs);
    try {
      await app.close();
    } catch (error) {
      this.logger.error(error);
      process.exit(1);
    }
    clearTimeout(timer);
    process.exit(0);
  }
}
