import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  FeatureCluster,
  type KeptState,
  keptState,
  keptSurplus,
  type TestClient,
} from '@wss/testing';
import { CACHES, SETTLED_WITHIN_MS } from './den.js';
import { DenModule } from './den.feature.js';

const TIMES = 300;
const HUGE = `den:${'x'.repeat(60_000)}`;

describe.each(['memory', 'redis'] as const)('R29: a connected client, on %s', (engine) => {
  let cluster: FeatureCluster;
  let client: TestClient;
  let before: KeptState;
  const kept = (): KeptState => keptState(cluster.nodes[0]!.app, { caches: CACHES });
  /** Nothing is kept but what was before, once rooms have lingered. */
  const expectAsBefore = (): Promise<void> =>
    eventually(() => expect(keptSurplus(before, kept())).toEqual([]), { withinMs: SETTLED_WITHIN_MS });

  beforeAll(async () => {
    const options = { presence: { graceMs: 300 } };
    cluster = await FeatureCluster.start({ features: [DenModule], nodes: 1, engine, options });
    // Its last digit is odd: the vault does not let it in.
    client = await cluster.connect('u1', { protocols: ['wss.v1'], room: 'den:1' });
    await client.event('$hello');
    await client.join('den:2');
    await client.command('$leave', {}, { room: 'den:2' });
    await client.request('$join', {}, { room: 'vault:0' });
    // Nodes read what others know once.
    await client.request('$join', {}, { room: 'nowhere:0' });
    await eventually(
      () => {
        before = kept();
        const places = ['NodePresence.rooms', 'RoomFeed.rooms', 'PresenceWatch.leaseEnds'];
        // The rooms that were left have lingered, the cluster's log is followed, the node has seen its own lease.
        expect(places.map((place) => before.get(place))).toEqual([1, 2, 1]);
      },
      { withinMs: SETTLED_WITHIN_MS },
    );
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => void (await client.drain()));

  it.each([
    ['$ping', 'invalid'],
    ['$join', 'invalid'],
    ['$leave', 'invalid'],
    ['den.look', 'invalid'],
    ['hall.look', 'invalid'],
    ['den.unknown', 'invalid'],
  ])('leaves nothing with %s in a room with an invalid name: it is refused', async (event, code) => {
    for (const room of [HUGE, 'no name', 'den:', ':x']) {
      expect((await client.request(event, {}, { room })).error).toMatchObject({ code });
      expect((await client.request(event, {}, { room, n: 1 })).error).toBeDefined();
    }
    await expectAsBefore();
  });

  it('leaves nothing in rooms that it only names, or joined and left', async () => {
    for (let i = 0; i < TIMES; i++) {
      client.send({ event: '$ping', room: `den:ping${i}`, id: i });
      client.send({ event: '$leave', room: `den:leave${i}`, id: i });
      client.send({ event: '$join', room: `vault:${i}`, id: i });
      client.send({ event: '$join', room: `nowhere:${i}`, id: i });
      client.send({ event: '$presence', room: `den:presence${i}`, id: i });
      client.send({ event: 'den.look', room: `den:look${i}`, id: i });
      client.send({ event: 'den.look', room: `den:look${i}`, id: i, n: 1 });
      client.send({ event: 'hall.look', room: `hall:look${i}`, id: i });
      client.send({ event: '$join', room: `den:join${i}`, id: i });
      client.send({ event: '$leave', room: `den:join${i}`, id: i });
    }
    await client.drain(20_000);
    await expectAsBefore();
  });
});
