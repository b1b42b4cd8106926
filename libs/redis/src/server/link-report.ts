import { Logger } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import type { Redis } from 'ioredis';

/** The two lines that a loss of links has, however many of them are lost. */
const KIND = 'links';

/**
 * Reports the links of a node: one line when the first is lost and one when all are back, and each of them at most once
 * a minute, since a server that was made a replica takes every link and ends it again. The fate of each link is `debug`.
 */
export class LinkReport {
  private readonly logger = new Logger('RedisLinks');
  private readonly losses = new LogGate((line) => this.logger.warn(line));
  private readonly returns = new LogGate((line) => this.logger.log(line));
  private readonly lost = new Set<Redis>();

  /** @param where address of the server, for messages */
  follow(redis: Redis, role: string, where: string): void {
    const name = `the ${role} link to ${where}`;
    redis.on('close', () => {
      // A link that was closed for good is not lost.
      if (this.lost.has(redis) || redis.status === 'end') return;
      if (this.lost.size === 0) this.losses.report(KIND, `${name} is lost; reconnecting`);
      else this.logger.debug(`${name} is lost`);
      this.lost.add(redis);
    });
    redis.on('ready', () => {
      if (!this.lost.delete(redis)) return;
      this.logger.debug(`${name} is back`);
      if (this.lost.size === 0) this.returns.report(KIND, 'the links to Redis are back');
    });
    redis.on('end', () => void this.lost.delete(redis));
    redis.on('error', (error: Error) => this.logger.debug(`${role} link: ${error.message}`));
  }
}
