import type { Logged } from './history.js';

/** Largest addition that the counter takes. */
const MOST = 1_000;

/**
 * Additions that tell whose they are: the counter's events name nothing but the amount, so each client has amounts of
 * its own and uses them in turn. A log can be read back into commands, as long as no client is ahead or behind by
 * half a turn.
 */
export class Additions {
  private readonly turn: number;

  constructor(private readonly clients: readonly string[]) {
    this.turn = Math.floor(MOST / clients.length);
    if (this.turn < 20) throw new Error('at most 50 clients can be told apart');
  }

  /** Amount of the client's addition with this index. */
  amount(client: string, index: number): number {
    return this.clients.indexOf(client) * this.turn + ((index - 1) % this.turn) + 1;
  }

  /** The members whose additions a log holds, in its order. */
  read(log: readonly Logged[]): { client: string; index: number }[] {
    const next = new Map<string, number>();
    return log.map(({ by }) => {
      const client = this.clients[Math.floor((by - 1) / this.turn)] ?? '?';
      const due = next.get(client) ?? 1;
      const ahead = (by - this.amount(client, due) + this.turn) % this.turn;
      // An amount less than half a turn ahead skipped some; everything else is behind, a repeat.
      const index = ahead < this.turn / 2 ? due + ahead : due + ahead - this.turn;
      if (index >= due) next.set(client, index + 1);
      return { client, index };
    });
  }
}
