import { Logger } from '@nestjs/common';
import { ROOM_FORMAT } from '@wss/state';
import type { NodeRegistry } from './node-registry.js';

/** Pause between two looks, ms: an older node that starts is seen before a lease would have ended. */
const EVERY_MS = 4_000;

/**
 * Knows whether every live node keeps rooms as this one does. Until that is so, nothing is left behind that an older node
 * would take for something else (R41).
 */
export class RoomFormats {
  private readonly logger = new Logger(RoomFormats.name);
  private timer?: NodeJS.Timeout;
  private shared = false;

  constructor(private readonly registry: Pick<NodeRegistry, 'alive'>) {}

  /** Whether all of them did when they were last looked at; false where they can't be. */
  get areShared(): boolean {
    return this.shared;
  }

  /** Looks, and goes on looking. */
  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), EVERY_MS).unref();
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    try {
      const nodes = await this.registry.alive();
      this.shared = nodes.every(({ rooms }) => rooms >= ROOM_FORMAT);
    } catch (error) {
      this.shared = false;
      this.logger.debug(`nodes can't be asked what they know: ${(error as Error).message}`);
    }
  }
}
