import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { WssClient } from '@wss/client';
import { Hub } from '@wss/messaging';
import { Sessions, Users } from '@wss/nest';
import { CLOSE_CODES, type CloseCode } from '@wss/protocol';
import { eventually, FeatureCluster } from '@wss/testing';
import { codeOf, endAll, isOpen, open } from './client/lines.js';

const CODES = Object.entries(CLOSE_CODES).map(([code, row]) => ({ code: Number(code) as CloseCode, ...row }));

let cluster: FeatureCluster;
beforeAll(async () => {
  cluster = await FeatureCluster.start({ features: [], nodes: 1 });
});
afterEach(endAll);
afterAll(() => cluster?.stop());

/** Users are new in each test, so a connection of one tells that its client came (back). */
let users = 0;
async function comes(session: boolean): Promise<{ client: WssClient; user: string; states: string[] }> {
  const user = `user ${++users}`;
  const client = open(`${cluster.nodes[0]!.url}?user=${user}`, { session });
  const states: string[] = [];
  client.onStatus(({ state }) => states.push(state));
  await isOpen(client);
  states.length = 0;
  return { client, user, states };
}

const connectionsOf = (user: string) =>
  [...cluster.nodes[0]!.get(Hub).all()].filter((client) => client.user === user);

/** Another client that is closed now is back when this resolves, although its waits are no shorter. */
async function anotherComesBack(): Promise<void> {
  const { user, states } = await comes(true);
  connectionsOf(user)[0]!.closeWith(1012);
  await eventually(() => expect(states.at(-1)).toBe('open'));
}

async function staysAway({ client, user, states }: Awaited<ReturnType<typeof comes>>): Promise<void> {
  await eventually(() => expect(client.status.state).toBe('closed'));
  await anotherComesBack();
  expect(states).toEqual(['closed']);
  expect(connectionsOf(user)).toEqual([]);
}

describe.each([true, false])('the SDK, with a session: %s', (session) => {
  it.each(CODES.filter(({ reconnect }) => !reconnect))(
    'does not come back after $code, and says why',
    async ({ code, reason }) => {
      const one = await comes(session);
      connectionsOf(one.user)[0]!.closeWith(code);
      const { client } = one;
      if (session) expect(await codeOf(client.room('chat:a').join())).not.toBe('ok');
      await staysAway(one);
      expect(client.status).toMatchObject({
        error: { code: 'refused', message: `closed: ${code} ${reason}` },
      });
      if (session) expect(await codeOf(client.ping())).toBe('refused');
    },
  );

  it.each(CODES.filter(({ reconnect }) => reconnect))('comes back after $code', async ({ code }) => {
    const { client, user, states } = await comes(session);
    connectionsOf(user)[0]!.closeWith(code);
    await eventually(() => expect(states).toContain('waiting'));
    await isOpen(client);
    expect(connectionsOf(user)).toHaveLength(1);
  });
});

it('comes back after a disconnect, and stays away after its session or its user was revoked', async () => {
  const node = cluster.nodes[0]!;
  const [one, other, third] = [await comes(true), await comes(true), await comes(true)];
  await node.get(Users).disconnect(one.user);
  await eventually(() => expect(one.states).toContain('waiting'));
  await isOpen(one.client);
  await node.get(Users).revoke(other.user, { by: 'tests' });
  await staysAway(other);
  const session = await new Promise<string>((resolve) => {
    third.client.onHello((hello) => resolve(hello.session));
    connectionsOf(third.user)[0]!.closeWith(1012);
  });
  third.states.length = 0;
  await isOpen(third.client);
  third.states.length = 0;
  await node.get(Sessions).revoke(session, { by: 'tests' });
  await staysAway(third);
});
