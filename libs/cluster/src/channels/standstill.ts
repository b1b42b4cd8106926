import { settledWithin } from '@wss/protocol';

/** How often the process shows that it runs, ms. */
const BEAT_MS = 100;
/** A longer time without a sign is a standstill, ms: what others told the node in a second may lie unread. */
const STILL_MS = 500;
/** How long it may take to hear what was missed, ms. Links that bring nothing for so long count as cut off. */
const CATCH_UP_MS = 2_000;

/**
 * Notices that this process stood still, because it was stopped, starved or busy. Its sockets are then read in any order,
 * so a client's message may be met before older ones of other nodes, which concern that client.
 */
export class Standstill {
  private readonly timer: NodeJS.Timeout;
  private seenAt = performance.now();
  private over?: Promise<void>;

  /** @param catchUp resolves when everything that was published before the call has been heard; given up after 2 s */
  constructor(private readonly catchUp: (givenUp: AbortSignal) => Promise<unknown>) {
    this.timer = setInterval(() => this.behind, BEAT_MS).unref();
  }

  /** Resolves when the node has heard what it missed; undefined if it missed nothing. It may stand still again meanwhile. */
  get behind(): Promise<void> | undefined {
    const now = performance.now();
    if (now - this.seenAt > STILL_MS) this.begin();
    this.seenAt = now;
    return this.over;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private begin(): void {
    const over = this.hearMissed().finally(() => {
      if (this.over === over) delete this.over;
    });
    this.over = over;
  }

  private async hearMissed(): Promise<void> {
    const givenUp = new AbortController();
    await settledWithin(this.catchUp(givenUp.signal), CATCH_UP_MS).catch(() => undefined);
    givenUp.abort();
  }
}
