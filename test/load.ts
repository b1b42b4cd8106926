import { expect } from '@jest/globals';
import type { WssClient } from '@wss/client';
import { eventually } from '@wss/testing';

/** How a {@link Load} is made. */
export interface LoadOptions {
  /** Opens a client on a node. */
  readonly open: (node: number, user: string) => WssClient;
  readonly nodes: number;
  readonly room: `counter:${string}`;
}

/** Members of a room on every node that send numbered commands without a pause. */
export interface Load {
  /** Commands that were answered with success until now. */
  readonly answered: number;
  /** Resolves when that many commands have been answered; rejects when one is refused. */
  progress(answered: number): Promise<void>;
  /**
   * Lets the commands under way end and expects the truth: the counter is exactly the number of commands, without
   * those that were declared lost and could not be sent again, and each member has seen every event once and in order,
   * or was told where it had to start anew.
   */
  finish(): Promise<void>;
  /** Closes the clients. */
  close(): void;
}

const WITHIN_MS = 30_000;

/** Begins to send; the caller ends it with {@link Load.finish}. */
export async function load({ open, nodes, room }: LoadOptions): Promise<Load> {
  const clients = Array.from({ length: nodes }, (_, node) => open(node, `user${node}`));
  const seen = clients.map((client) => watch(client, room));
  await Promise.all(clients.map((client) => client.room(room).join()));
  const counts = { sent: 0, answered: 0, forgotten: 0 };
  for (const client of clients) {
    // The client keeps a bounded number of answered commands; it reports the others by number.
    client.onRollback(({ forgotten }) => (counts.forgotten += forgotten.length));
  }
  const close = (): void => clients.forEach((client) => client.close());
  let stopping = false;
  const working = clients.flatMap((client) =>
    Array.from({ length: 4 }, async () => {
      while (!stopping) {
        counts.sent++;
        await client.room(room).command('counter.add', { by: 1 });
        counts.answered++;
      }
    }),
  );
  const all = Promise.all(working);
  all.catch(() => undefined);
  /** Rejects when a command is refused; never resolves. */
  const refused = all.then(() => new Promise<never>(() => undefined));
  refused.catch(() => undefined);
  const reach = (answered: number): void => {
    if (counts.answered >= answered) return;
    const states = clients.map(({ status, rooms }) =>
      [status, ...rooms.map((each) => each.status)].join(' '),
    );
    throw new Error(`${counts.answered} of ${answered} commands are answered; clients: ${states.join(', ')}`);
  };
  return {
    close,
    get answered() {
      return counts.answered;
    },
    progress: (answered) =>
      Promise.race([refused, eventually(() => reach(answered), { withinMs: WITHIN_MS })]),
    async finish() {
      stopping = true;
      await all;
      await eventually(
        async () => {
          const value = await clients[0]!.room(room).command('counter.add', { by: 0 });
          expect(value).toEqual({ value: counts.sent - counts.forgotten });
        },
        { withinMs: WITHIN_MS },
      );
      await eventually(
        () => {
          const ends = seen.map(({ at }) => at());
          expect(new Set(ends).size).toBe(1);
        },
        { withinMs: WITHIN_MS },
      );
      expect(seen.flatMap(({ mistakes }) => mistakes)).toEqual([]);
      close();
    },
  };
}

/** Follows one member: its events must go on by one from the last, or from where it was told to start. */
function watch(client: WssClient, room: `counter:${string}`): { at: () => number; mistakes: string[] } {
  let at: number | undefined;
  const mistakes: string[] = [];
  client.room(room).on('counter.added', ({ seq }) => {
    if (at !== undefined && seq !== at + 1) mistakes.push(`${seq} after ${at}`);
    at = seq!;
  });
  client.room(room).onReset(({ position }) => (at = position.seq));
  return { at: () => at ?? 0, mistakes };
}
