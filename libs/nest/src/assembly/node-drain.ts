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
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly drain: Drain,
    private readonly settings: WssSettings,
  ) {}

  /** Ends all waiting: clients that wait for their turn are closed at once, and running jobs are left to other nodes. */
  hurry(): void {
    this.hurried.abort();
  }

  /**
   * Refuses new clients; the time of the drain begins.
   * @returns a signal that is aborted when no client may be kept waiting any longer
   */
  begin(): AbortSignal {
    this.drain.refuseNew();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hurry(), this.settings.drain.timeoutMs).unref();
    return this.hurried.signal;
  }

  /**
   * Resolves when no client is left.
   * @param waits true if a balancer may still send clients here, so that it is waited for
   */
  async finish({ waits }: { readonly waits: boolean }): Promise<void> {
    const { delayMs, windowMs } = this.settings.drain;
    await this.drain.run({ delayMs: waits ? delayMs : 0, windowMs, over: this.hurried.signal });
    clearTimeout(this.timer);
  }
}
