import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@wss/testing';
import { Additions } from './additions.js';
import { Archive } from './archive.js';
import type { Dial } from './connection.js';
import { DriverClient } from './driver-client.js';
import { History } from './history.js';
import { checkLinearizability } from './linearizability.js';
import { KEYS } from './local-node.js';
import { newSeed, Random } from '@wss/testing';
import { checkPositions } from './witness-check.js';

/** Options of a stage. */
export interface StageOptions {
  readonly rooms: readonly string[];
  /** Names of all clients that will ever act. */
  readonly clients: readonly string[];
  /** Port of the present master. */
  readonly port: () => number;
  /** How long the end may take until everything is answered and seen, ms; default 30,000. */
  readonly settleWithinMs?: number;
}

/** Verdict on a run. */
export interface Verdict {
  /** In words; empty when both checkers are content. */
  readonly problems: readonly string[];
  readonly history: History;
  readonly seed: number;
  /** Events in the logs of all rooms. */
  readonly applied: number;
}

/** Where a run takes place: its clients, what is known of them, and the log that remains. */
export class Stage {
  readonly history = new History();
  /** Source of all chance in this run. */
  readonly random = new Random(newSeed());
  readonly archive: Archive;
  readonly clients: DriverClient[] = [];
  private readonly additions: Additions;

  constructor(readonly options: StageOptions) {
    this.additions = new Additions(options.clients);
    this.archive = new Archive(KEYS, options.rooms, options.port);
    this.archive.start();
  }

  /** Brings the next client on; it acts in all rooms unless told otherwise. */
  async client(dial: (user: string) => Dial, rooms = this.options.rooms): Promise<DriverClient> {
    const name = this.options.clients[this.clients.length]!;
    const { history, additions } = this;
    const random = this.random.fork();
    const client = new DriverClient({ name, rooms, dial: dial(name), history, additions, random });
    this.clients.push(client);
    await client.connect();
    return client;
  }

  /** Resolves when every client has all its answers, has done again what was lost, and has seen everything. */
  async settle(): Promise<void> {
    await eventually(
      async () => {
        const tops = await this.archive.tops();
        const late = this.clients.filter((client) => !client.isSettled(tops));
        const where = JSON.stringify([...tops]);
        if (late.length > 0)
          throw new Error(`${where}: ${late.map((client) => client.describe()).join('; ')}`);
      },
      { withinMs: this.options.settleWithinMs ?? 30_000, everyMs: 50 },
    );
  }

  /** Settles, asks both checkers, and sends the clients away. */
  async finish(): Promise<Verdict> {
    try {
      await this.settle();
      for (const client of this.clients) client.end();
    } catch (error) {
      this.history.violation(`the run did not settle: ${(error as Error).message}`);
    }
    await this.leave();
    const rooms = await this.archive.finish();
    for (const room of rooms) this.history.add(room);
    const { history } = this;
    const problems = [...checkPositions(history, this.additions), ...checkLinearizability(history)];
    return {
      problems,
      history,
      seed: this.random.seed,
      applied: rooms.reduce((sum, { log }) => sum + log.length, 0),
    };
  }

  /** Sends the clients away without a verdict. */
  async leave(): Promise<void> {
    this.archive.stop();
    await Promise.all(this.clients.map((client) => client.disconnect()));
  }
}

/**
 * Fails with what the checkers found and where the history is.
 * @throws Error unless the verdict is clean
 */
export function requireClean(name: string, { problems, history, seed }: Verdict): void {
  if (problems.length === 0) return;
  const path = history.save(name, join(tmpdir(), 'wss-chaos'));
  throw new Error(`${name} is inconsistent, seed ${seed}:\n${problems.join('\n')}\nhistory: ${path}`);
}
