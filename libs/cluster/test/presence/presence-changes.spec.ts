import { describe, expect, it } from '@jest/globals';
import { MemoryEngine } from '@wss/state';
import { newSeed, Random } from '@wss/testing';
import { MemoryPresenceStore } from '../../src/index.js';
import { PresenceChanges } from '../../src/presence/presence-changes.js';

const RUNS = process.env.CHAOS === 'long' ? 10_000 : 200;
const STEPS = 60;
const ROOM = 'chat:1';
const OWNER = 'n~0';

/** A node's changes, an engine, and a way between them on which calls and answers get lost. */
class Play {
  readonly engine = new MemoryEngine();
  readonly store = new MemoryPresenceStore(this.engine, (room) => room);
  readonly changes = new PresenceChanges();
  /** Client → its last meta. */
  readonly here = new Map<string, string | undefined>();

  constructor(private readonly random: Random) {}

  async step(): Promise<void> {
    const { random } = this;
    const choice = random.below(20);
    if (choice < 8) this.enter();
    else if (choice < 12) this.leave();
    else if (choice < 18) await this.send(random.pick(['done', 'done', 'answer lost', 'lost'] as const));
    else if (choice === 18) await this.failOver();
    else await this.compare();
  }

  /** Sends what waits, and finds what a failover lost. */
  async settle(): Promise<void> {
    while (this.changes.size > 0) await this.send('done');
    await this.compare();
    while (this.changes.size > 0) await this.send('done');
  }

  async compare(): Promise<void> {
    this.changes.compare(await this.store.inspect(ROOM, OWNER), 0);
  }

  private enter(): void {
    const client = `n.${this.random.below(4)}`;
    const meta = this.random.below(3) > 0 ? `{"n":${this.random.below(9)}}` : undefined;
    const told = meta ?? this.here.get(client);
    // A client that comes back at once without a meta is still seen as before.
    if (!this.here.has(client) && meta === undefined) return;
    this.here.set(client, told);
    this.changes.enter({ client, user: `user of ${client}`, ...(meta && { meta }) });
  }

  private leave(): void {
    const client = `n.${this.random.below(4)}`;
    this.here.delete(client);
    this.changes.leave(client, 0);
  }

  private async send(fate: 'done' | 'answer lost' | 'lost'): Promise<void> {
    const changes = this.changes.take(1 + this.random.below(3), false);
    if (changes.length === 0) return;
    if (fate !== 'lost') await this.store.update({ room: ROOM, owner: OWNER, changes, pauseMs: 0 });
    for (let i = this.random.below(3); i > 0; i--) {
      if (this.random.below(2) > 0) this.enter();
      else this.leave();
    }
    if (fate !== 'done') this.changes.putBack(changes);
  }

  private async failOver(): Promise<void> {
    this.engine.promote();
    if (this.random.below(2) > 0) await this.compare();
    this.engine.pauseReplication();
  }
}

describe('changes of presence that wait', () => {
  it('R21: who has left after a change of what it tells of itself is told to have left', () => {
    const changes = new PresenceChanges();
    changes.enter({ client: 'c', user: 'ann', meta: '1' });
    expect(changes.take(1, false)).toHaveLength(1);
    changes.enter({ client: 'c', user: 'ann', meta: '2' });
    changes.leave('c', 5_000);
    expect(changes.take(1, false)).toEqual([{ client: 'c', graceMs: 5_000 }]);
  });

  it('R21: who came and left before that could be told is not told', () => {
    const changes = new PresenceChanges();
    changes.enter({ client: 'c', user: 'ann' });
    changes.leave('c', 5_000);
    expect(changes.size).toBe(0);
  });

  it('R21: what a client told of itself is told again on another history, and only then', () => {
    const changes = new PresenceChanges();
    const compared = (replicationId: string): number => {
      changes.compare({ replicationId, entries: new Map([['c', 'ann']]), owners: ['n~0'] }, 0);
      return changes.take(9, false).length;
    };
    changes.enter({ client: 'c', user: 'ann', meta: '1' });
    changes.take(1, false);
    expect([compared('a'), compared('a'), compared('b'), compared('b')]).toEqual([1, 0, 1, 0]);
  });

  const seed = newSeed();
  it(`R21: the engine ends with what clients did, whatever got lost (seed ${seed})`, async () => {
    const seeds = new Random(seed);
    for (let run = 0; run < RUNS; run++) {
      const random = seeds.fork();
      const play = new Play(random);
      for (let i = 0; i < STEPS; i++) await play.step();
      await play.settle();
      const { entries } = await play.store.inspect(ROOM, OWNER);
      expect({ run, here: [...entries.keys()].sort() }).toEqual({ run, here: [...play.here.keys()].sort() });
      const { users } = await play.store.list(ROOM, '', 9);
      const told = new Map(users.map(({ user, meta }) => [user, meta]));
      for (const [client, meta] of play.here) {
        expect({ run, client, meta: told.get(`user of ${client}`) }).toEqual({ run, client, meta });
      }
    }
  });
});
