import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FeatureCluster, type ServerFrame, type TestClient } from '@wss/testing';
import { DenModule } from './den.feature.js';

const MOST = 5;

describe.each(['memory', 'redis'] as const)('R29: rooms at a time, on %s', (engine) => {
  let cluster: FeatureCluster;
  beforeAll(async () => {
    const options = { limits: { maxRooms: MOST } };
    cluster = await FeatureCluster.start({ features: [DenModule], nodes: 2, engine, options });
  });
  afterAll(() => cluster?.stop());

  const join = (client: TestClient, room: string): Promise<ServerFrame> =>
    client.request('$join', {}, { room });
  const fill = async (client: TestClient): Promise<void> => {
    for (let i = 0; i < MOST; i++) await client.join(`den:${i}`);
  };

  it.each([
    ['a session', ['wss.v1']],
    ['a connection without a session', []],
  ])('are bounded for %s', async (_what, protocols) => {
    const client = await cluster.connect('u1', { protocols });
    await fill(client);
    expect((await join(client, 'den:more')).error).toMatchObject({ code: 'limit', retry: false });
    // Joining again takes no other place, and leaving gives one back.
    await client.join('den:0');
    await client.command('$leave', {}, { room: 'den:none' });
    expect((await join(client, 'den:more')).error).toMatchObject({ code: 'limit' });
    await client.command('$leave', {}, { room: 'den:0' });
    await client.join('den:more');
    expect((await join(client, 'den:0')).error).toMatchObject({ code: 'limit' });
  });

  it('are bounded for joins that are under way at the same time', async () => {
    const client = await cluster.connect('u1', { protocols: ['wss.v1'] });
    const rooms = Array.from({ length: 4 * MOST }, (_, i) => `den:${i}`);
    const replies = await Promise.all(rooms.map((room) => join(client, room)));
    expect(replies.filter(({ error }) => !error)).toHaveLength(MOST);
  });

  it('are not taken by joins that are refused', async () => {
    const client = await cluster.connect('u1', { protocols: ['wss.v1'] });
    for (let i = 0; i < 2 * MOST; i++) {
      expect((await join(client, `vault:${i}`)).error).toMatchObject({ code: 'forbidden' });
    }
    await fill(client);
  });

  it('are counted on when the session is resumed', async () => {
    const first = await cluster.connect('u1', { protocols: ['wss.v1'] });
    const { token } = (await first.event('$hello')).data as { token: string };
    await fill(first);
    const second = await cluster.connect('u1', { node: 1, protocols: ['wss.v1', `wss.resume.${token}`] });
    const { rooms } = (await second.event('$hello')).data as { rooms: string[] };
    expect(rooms).toHaveLength(MOST);
    expect((await join(second, 'den:more')).error).toMatchObject({ code: 'limit' });
    await fill(second);
  });
});
