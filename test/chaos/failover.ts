import type { TcpProxy } from '@wss/testing';
import type { DriverClient } from './driver-client.js';
import { type ChaosNode, dialAnyOf } from './nodes.js';
import { RedisPair } from './redis-pair.js';
import { Stage, type Verdict } from './stage.js';

/** How much a run does. */
export interface FailoverOptions {
  readonly failovers: number;
  readonly startNode: (proxy: TcpProxy) => Promise<ChaosNode>;
  readonly settleWithinMs?: number;
}

/** Verdict on a run of failovers. */
export interface FailoverVerdict extends Verdict {
  /**
   * For each failover: the number of lost events, and the number of commands that were declared lost to their
   * senders.
   */
  readonly tails: readonly { readonly lost: number; readonly declared: number }[];
}

/** Everyone writes here. */
const BUSY = 'counter:busy';
/** Nobody writes here while replication is mute. */
const CALM = 'counter:calm';
const WRITERS = 5;
const NODES = 2;

/**
 * Lost-tail failovers on two real Redis servers: replication is muted, commands are carried out and answered, the
 * master is killed and its replica promoted. One client of the busy room is away from before the mute until after the
 * failover, and one stays in the calm room: both are on the surviving prefix.
 */
export async function runFailovers(options: FailoverOptions): Promise<FailoverVerdict> {
  const { failovers, startNode, settleWithinMs } = options;
  const pair = await RedisPair.start();
  const proxies = await Promise.all(Array.from({ length: NODES }, () => pair.proxy()));
  const nodes = await Promise.all(proxies.map((proxy) => startNode(proxy)));
  const stage = new Stage({
    rooms: [BUSY, CALM],
    clients: [...Array.from({ length: WRITERS }, (_, i) => `w${i}`), 'away', 'calm'],
    port: () => pair.master.port,
    ...(settleWithinMs !== undefined && { settleWithinMs }),
  });
  const tails: FailoverVerdict['tails'][number][] = [];
  try {
    for (let i = 0; i < WRITERS; i++)
      await stage.client(
        dialAnyOf(() => nodes, i),
        [BUSY],
      );
    const away = await stage.client(
      dialAnyOf(() => nodes),
      [BUSY],
    );
    const calm = await stage.client(
      dialAnyOf(() => nodes),
      [CALM],
    );
    const run = new FailoverRun(pair, stage, away, calm);
    for (let i = 0; i < failovers; i++) tails.push(await run.failOver());
    const verdict = await stage.finish();
    return { ...verdict, tails, problems: [...verdict.problems, ...dishonest(tails), ...noticed(verdict)] };
  } finally {
    await stage.leave();
    await Promise.all(nodes.map((node) => node.kill()));
    await pair.stop();
  }
}

class FailoverRun {
  constructor(
    private readonly pair: RedisPair,
    private readonly stage: Stage,
    private readonly away: DriverClient,
    private readonly calm: DriverClient,
  ) {}

  /** One failover, from a state in which everyone has seen everything to the next one. */
  async failOver(): Promise<FailoverVerdict['tails'][number]> {
    const { pair, stage, away, calm } = this;
    await Promise.all([this.write(), calm.room(CALM).add()]);
    await stage.settle();
    await away.disconnect();
    const declaredBefore = this.declared();
    await pair.loseTail();
    const surviving = (await stage.archive.tops()).get(BUSY)!;
    await this.write();
    const lost = (await stage.archive.tops()).get(BUSY)! - surviving;
    await pair.failOver();
    stage.history.add({ type: 'rollback', room: BUSY, at: stage.history.now(), end: surviving });
    await pair.restock();
    await away.connect();
    await stage.settle();
    return { lost, declared: this.declared() - declaredBefore };
  }

  /** Every writer adds once to three times, adds nothing once, and reads; resolves when all is answered. */
  private async write(): Promise<void> {
    const { random } = this.stage;
    const writers = this.stage.clients.filter((client) => client !== this.away && client !== this.calm);
    await Promise.all(
      writers.flatMap((client) => {
        const room = client.room(BUSY);
        const additions = Array.from({ length: 1 + random.below(3) }, () => room.add());
        return [...additions, room.addInvalid(), room.read()];
      }),
    );
  }

  private declared(): number {
    return this.stage.history.operations.filter(({ lost }) => lost !== undefined).length;
  }
}

function dishonest(tails: FailoverVerdict['tails']): string[] {
  return tails.flatMap(({ lost, declared }, i) =>
    lost === declared ? [] : [`failover ${i + 1} lost ${lost} events, and ${declared} were declared lost`],
  );
}

/** Clients on the surviving prefix that had to begin anew, or to which losses of their commands were declared. */
function noticed({ history }: Verdict): string[] {
  return history.items.flatMap((item) => {
    if (item.type !== 'seen' && item.type !== 'operation') return [];
    if (item.client !== 'away' && item.client !== 'calm') return [];
    if (item.type === 'operation')
      return item.lost === undefined ? [] : [`${item.client} was told of a loss`];
    return item.what === 'reset' ? [`${item.client} had to begin anew at ${item.seq}: ${item.reason}`] : [];
  });
}
