import { Injectable } from '@nestjs/common';
import { Drain } from '@wss/messaging';
import { WssSettings } from '../options/wss-settings.js';

/**
 * Lets this node's clients go when the application closes, as the option `drain` says. A program that was told to
 * end at once calls {@link hurry}: `app.get(NodeDrain).hurry()`.
 */
@Injectable()
export class NodeDrain {
  private readonly hurried = new AbortController();
  private deadline = Infinity;

  constructor(
    private readonly drain: Drain,
    private readonly settings: WssSettings,
  ) {}

  /** Closes clients that still wait for their turn at once, now or as soon as the application closes. */
  hurry(): void {
    this.hurried.abort();
  }

  /** Refuses new clients; the time of the drain begins. */
  begin(): void {
    this.drain.refuseNew();
    this.deadline = performance.now() + this.settings.drain.timeoutMs;
  }

  /**
   * Resolves when no client is left.
   * @param waits true if a balancer may still send clients here, so that it is waited for
   */
  async finish({ waits }: { readonly waits: boolean }): Promise<void> {
    const { delayMs, windowMs } = this.settings.drain;
    const { deadline, hurried } = this;
    await this.drain.run({ delayMs: waits ? delayMs : 0, windowMs, deadline, hurry: hurried.signal });
  }
}
