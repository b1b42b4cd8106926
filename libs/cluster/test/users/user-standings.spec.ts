import { expect, it } from '@jest/globals';
import { type Standing, verdictOn } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { MemoryEngine } from '@wss/state';
import { eventually } from '@wss/testing';
import { MemoryClusterChannels, MemoryStandingStore } from '../../src/index.js';
import { decodeDirect, encodeDirect } from '../../src/channels/direct-message.js';
import { UserStandings } from '../../src/sessions/user-standings.js';

const keys = new RedisKeys('test');

/** A node of which the connections of one user are known by their generations. */
class SingleNode {
  readonly here = new Set<number>();
  readonly standings: UserStandings;
  /** True while it does not hear the channel. */
  isDeaf = false;

  constructor(engine: MemoryEngine) {
    const channels = new MemoryClusterChannels(engine);
    this.standings = new UserStandings({
      store: new MemoryStandingStore(engine),
      single: true,
      publish: (user, standing) => channels.publish(keys.user(user), encodeDirect({ standing })),
      listener: {
        judge: (_user, standing) => this.judge(standing),
        hold: () => undefined,
        release: () => undefined,
        newestOf: () => Math.max(0, ...this.here),
      },
    });
    void channels.subscribe(keys.user('ann'), (text) => {
      const message = decodeDirect(text);
      if ('standing' in message && !this.isDeaf) this.standings.heard('ann', message.standing);
    });
  }

  async connect(): Promise<void> {
    this.here.add(await this.standings.enter('ann', { disconnected: 0, newest: 0 }));
  }

  private judge(standing: Standing): void {
    for (const generation of this.here)
      if (verdictOn({ generation, issuedAt: 1 }, standing)) this.here.delete(generation);
  }
}

it('R39: a failover that lost the newest connection does not bring back an older one on a node that was deaf', async () => {
  const engine = new MemoryEngine();
  const [older, newer] = [new SingleNode(engine), new SingleNode(engine)];
  await older.connect();
  engine.pauseReplication();
  older.isDeaf = true;
  await newer.connect();
  engine.promote();
  older.isDeaf = false;
  // Both come back; the older one's node may be the first to compare.
  await older.standings.compare(['ann']);
  expect([older.here.size, newer.here.size]).toEqual([1, 1]);
  await newer.standings.compare(['ann']);
  await eventually(() => expect([older.here.size, newer.here.size]).toEqual([0, 1]));
  for (const { standings } of [older, newer]) standings.close();
});
