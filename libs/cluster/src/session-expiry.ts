import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { SessionHooks } from '@wss/handlers';
import type { ClaimedSession, SessionStore } from './session-store.js';

/** Pause between two looks for sessions that are over, ms. */
const EVERY_MS = 5_000;
/** Sessions that are claimed at once. */
const BATCH = 100;

/** Finds sessions that are over and tells the features, on one node for each. */
export class SessionExpiry implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Sessions');
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;

  constructor(
    private readonly store: SessionStore,
    private readonly hooks: SessionHooks,
    private readonly everyMs = EVERY_MS,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.look(), this.everyMs).unref();
  }

  /** While hooks run, everything that they use must be there. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private look(): void {
    this.running ??= this.tellAll()
      .catch((error: Error) => this.logger.debug(`the next look finds ended sessions: ${error.message}`))
      .finally(() => delete this.running);
  }

  private async tellAll(): Promise<void> {
    for (;;) {
      const claimed = await this.store.claimEnded(BATCH);
      await Promise.all(claimed.map((session) => this.tell(session)));
      if (claimed.length < BATCH) return;
    }
  }

  private async tell(session: ClaimedSession): Promise<void> {
    await this.hooks.run('expired', { id: session.id, user: session.user });
    await this.store.forget(session);
  }
}
