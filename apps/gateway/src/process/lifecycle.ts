import { type INestApplication, Logger } from '@nestjs/common';
import { NodeDrain } from '@wss/nest';
import type { Config } from '../config.js';
import type { StopSignal, StopSignals } from './stop-signals.js';

/** Upper limit for a hurried shutdown, and for the clean-up after a failed start, ms. */
const HURRY_MS = 5_000;

/** One step of a start. */
export type StartStep = () => Promise<unknown> | void;

/**
 * Starts and ends the process. On SIGTERM or SIGINT the application is closed, which lets its clients go, and the process exits 0. A second signal skips the
 * waiting: all clients are closed with 1012 at once. A third one ends the process at once. All steps are bounded in
 * time.
 */
export class Lifecycle {
  private readonly logger = new Logger(Lifecycle.name);
  private app?: INestApplication;
  private started: Promise<void> = Promise.resolve();
  private stopping = false;

  /** @param atEnd called in the turn in which the process ends in order, when nothing can change any more */
  constructor(
    private readonly config: Config,
    signals: StopSignals,
    private readonly atEnd: () => void = () => undefined,
  ) {
    signals.handOver((signal, count) => this.onSignal(signal, count));
  }

  /**
   * Takes the steps one after the other. After a signal the present step ends and the others are skipped; the steps
   * begun so far are closed in order, as they are when a step fails.
   * @throws the error of a step
   */
  async start(app: INestApplication, steps: readonly StartStep[]): Promise<void> {
    this.app = app;
    const taking = this.take(steps);
    this.started = taking.catch(() => undefined);
    try {
      await taking;
    } catch (error) {
      // After a signal, its handler closes and exits.
      if (this.stopping) return this.logger.warn(`the start failed while stopping: ${String(error)}`);
      this.boundBy(HURRY_MS);
      await app.close();
      throw error;
    }
  }

  private async take(steps: readonly StartStep[]): Promise<void> {
    for (const step of steps) if (!this.stopping) await step();
  }

  private onSignal(signal: StopSignal, count: number): void {
    if (count > 2) {
      this.logger.warn(`${signal} again: ending at once`);
      process.exit(1);
    }
    this.logger.log(
      count === 1 ? `${signal}: shutting down` : `${signal} again: shutting down without waiting`,
    );
    // Without an application, nothing has to be closed.
    if (!this.app) return this.exit();
    if (count === 1) void this.stop(this.app);
    else {
      this.boundBy(HURRY_MS);
      this.app.get(NodeDrain, { strict: false }).hurry();
    }
  }

  private async stop(app: INestApplication): Promise<void> {
    this.stopping = true;
    this.boundBy(this.config.SHUTDOWN_TIMEOUT_MS);
    try {
      await this.started;
      await app.close();
    } catch (error) {
      this.logger.error(error);
      process.exit(1);
    }
    this.exit();
  }

  private exit(): never {
    this.atEnd();
    process.exit(0);
  }

  /** Ends the process even if a step hangs. */
  private boundBy(ms: number): void {
    setTimeout(() => {
      this.logger.error(`closing took longer than ${ms} ms: ending the process`);
      process.exit(1);
    }, ms);
  }
}
