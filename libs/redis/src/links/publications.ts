import { Logger } from '@nestjs/common';
import type { DataLinks, PublicationNotes } from './data-links.js';

/** How often a publication is tried again after one was refused, ms. */
const EVERY_MS = 2_000;
/** Least pause between two lines in the log, ms. */
const REPORT_MS = 60_000;

/** Publishes an empty message to nobody; returns the reason if even that is refused. */
const TRY = `#!lua
local sent = redis.pcall(ARGV[1], ARGV[2], '')
return type(sent) == 'table' and sent.err or ''`;

/**
 * Knows if Redis accepts the publications of scripts for this node (R35). A refusal costs no commit, but other nodes
 * then find the events of rooms only when they compare. So the node is not ready until a publication is accepted
 * again.
 */
export class Publications implements PublicationNotes {
  private readonly logger = new Logger('RedisLinks');
  /** The channel of the refusal. */
  private refusedOn: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private reportedAt = -Infinity;

  constructor(private readonly links: Pick<DataLinks, 'commands' | 'publish'>) {}

  note(channel: string, refused: boolean): void {
    if (refused) this.refuse(channel);
    else if (channel === this.refusedOn) this.heal();
  }

  /** The problem; undefined while publications are accepted. */
  problem(): string | undefined {
    return this.refusedOn === undefined ? undefined : `Redis: publications on ${this.refusedOn} are refused`;
  }

  /** Stops trying. */
  close(): void {
    clearInterval(this.timer);
  }

  private refuse(channel: string): void {
    if (this.refusedOn !== undefined) return;
    this.refusedOn = channel;
    this.report(channel);
    this.timer = setInterval(() => void this.tryAgain(channel), EVERY_MS).unref();
  }

  /** At most one line a minute, since some channels may be refused and others not. */
  private report(channel: string): void {
    if (performance.now() - this.reportedAt < REPORT_MS) return;
    this.reportedAt = performance.now();
    this.logger.error(
      `Redis refuses to publish on ${channel}: other nodes find events late, and this node is not ready; ` +
        `allow its user ${this.links.publish} and all channels of the namespace`,
    );
  }

  private heal(): void {
    clearInterval(this.timer);
    this.logger.debug(`Redis publishes on ${this.refusedOn} again`);
    this.refusedOn = undefined;
  }

  /** Uses a channel that nobody listens to, beside the refused one. */
  private async tryAgain(channel: string): Promise<void> {
    const { commands, publish } = this.links;
    try {
      const refusal = await commands.eval(TRY, 1, channel, publish, `${channel}:t`);
      if (refusal === '' && channel === this.refusedOn) this.heal();
    } catch (error) {
      this.logger.debug(`publications can't be tested now: ${(error as Error).message}`);
    }
  }
}
