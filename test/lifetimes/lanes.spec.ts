import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Session, SessionKeeper } from '@wss/cluster';
import { SessionSource } from '@wss/messaging';
import { eventually, FeatureCluster, type FeatureNode, type TestClient } from '@wss/testing';
import { DenModule } from './den.feature.js';

/** Lanes are looked at with every move of the session's end. */
const TTL_MS = 2_000;

describe.each(['memory', 'redis'] as const)('R29: rooms with numbered commands, on %s', (engine) => {
  let cluster: FeatureCluster;
  let node: FeatureNode;
  beforeAll(async () => {
    const options = { session: { ttlMs: TTL_MS }, limits: { maxRooms: 2 } };
    cluster = await FeatureCluster.start({ features: [DenModule], nodes: 1, engine, options });
    node = cluster.nodes[0]!;
  });
  afterAll(() => cluster?.stop());

  const sessions = (): SessionKeeper => node.get(SessionSource as never);
  const sessionOf = (id: string): Session => {
    const { connected } = sessions() as unknown as { connected: Set<Session> };
    return [...connected].find((session) => session.id === id)!;
  };
  const look = (client: TestClient, room: string, n: number): Promise<{ error?: object; dup?: boolean }> =>
    client.request('hall.look', {}, { room, n, ack: n - 1 }) as never;

  async function open(): Promise<{ client: TestClient; session: Session }> {
    const client = await cluster.connect('u1', { protocols: ['wss.v1'] });
    const { session: id } = (await client.event('$hello')).data as { session: string };
    return { client, session: sessionOf(id) };
  }

  it('are forgotten when they were idle and are acknowledged, and go on where they stopped', async () => {
    const { client, session } = await open();
    const kept = 'den:kept0';
    await client.join(kept);
    for (const room of [kept, 'hall:idle', 'hall:used', 'hall:open']) {
      expect((await look(client, room === kept ? 'hall:kept' : room, 1)).error).toBeUndefined();
    }
    await client.command('den.mark', {}, { room: kept, n: 1 });
    // Two replies are not acknowledged.
    await client.request('hall.look', {}, { room: 'hall:open', n: 2, ack: 0 });
    await client.request('hall.look', {}, { room: 'hall:open', n: 3, ack: 0 });
    for (const room of [kept, 'hall:idle', 'hall:open']) session.lanes.get(room)!.usedAt -= 3_600_001;
    await eventually(() => expect(session.lanes.has('hall:idle')).toBe(false), { withinMs: 10_000 });
    await eventually(() => expect([...session.lanes.keys()].sort()).toContain(kept));
    expect(session.lanes.has('hall:used')).toBe(true);
    expect(session.lanes.has('hall:open')).toBe(true);
    // Its record is still there: the next number goes on, and a repeat is one.
    expect(await look(client, 'hall:idle', 1)).toMatchObject({ dup: true });
    expect((await look(client, 'hall:idle', 2)).error).toBeUndefined();
    expect(session.provesLoss('hall:idle')).toBe(false);
    expect(session.provesLoss('hall:used')).toBe(true);
  });

  it('are bounded', async () => {
    const { client } = await open();
    for (let i = 0; i < 40; i++) expect((await look(client, `hall:${i}`, 1)).error).toBeUndefined();
    expect((await look(client, 'hall:more', 1)).error).toMatchObject({ code: 'limit', retry: false });
    expect((await look(client, 'hall:0', 2)).error).toBeUndefined();
  });
});
