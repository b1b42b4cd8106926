import type { Client } from '@wss/core';

/** Works of one client that are under way at a time, in all rooms together. */
const CLIENT_SHARE = 16;

/** The works of one client. */
class Share {
  underWay = 0;
  ended = 0;
  readonly waiting: (() => void)[] = [];

  /** Lets those that wait take the places of those that have ended. */
  goOn(): void {
    this.underWay -= this.ended;
    this.ended = 0;
    for (const begin of this.waiting.splice(0, CLIENT_SHARE - this.underWay)) {
      this.underWay++;
      begin();
    }
  }
}

/**
 * Lets a few works of each client be under way at a time, and others take their places in a later turn of the event
 * loop: what a client sends at once, to however many rooms, holds up nobody else when it is sent or answered.
 */
export class ClientShares {
  private readonly shares = new WeakMap<Client, Share>();
  private ended = new Set<Share>();

  /** Resolves, in order, when a work may begin; undefined if it may at once. Each ends with {@link leave}. */
  enter(client: Client): Promise<void> | undefined {
    let share = this.shares.get(client);
    if (!share) this.shares.set(client, (share = new Share()));
    const { waiting } = share;
    if (waiting.length > 0 || share.underWay >= CLIENT_SHARE) {
      return new Promise((resolve) => waiting.push(resolve));
    }
    share.underWay++;
    return undefined;
  }

  /** A work that has entered is over; its place is free from the next turn on. */
  leave(client: Client): void {
    const share = this.shares.get(client)!;
    share.ended++;
    if (this.ended.size === 0) setImmediate(this.goOn);
    this.ended.add(share);
  }

  private readonly goOn = (): void => {
    const { ended } = this;
    this.ended = new Set();
    for (const share of ended) share.goOn();
  };
}
