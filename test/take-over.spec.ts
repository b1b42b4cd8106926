import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, GatewayCluster, newSeed, Random, TestClient } from '@wss/testing';

/** `npm run chaos` asks for more. */
const ROUNDS = process.env.CHAOS === 'long' ? 10_000 : 200;

interface Connection {
  readonly client: TestClient;
  readonly token: string;
}

async function open(url: string, user: string, token?: string): Promise<Connection> {
  const protocols = ['wss.v1', ...(token === undefined ? [] : [`wss.resume.${token}`])];
  const client = await TestClient.connect(url, { user, protocols });
  const hello = (await client.next()).data as { token: string; resumed: boolean };
  expect(hello.resumed).toBe(token !== undefined);
  return { client, token: hello.token };
}

describe('instances that resume one session at the same moment on two nodes', () => {
  let cluster: GatewayCluster;
  const seed = newSeed();
  const random = new Random(seed);

  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 2, proxied: true });
  });
  afterAll(() => cluster?.stop());

  /** Each of the connections that are open, and the code that each other one was closed with. */
  const ends = (clients: readonly TestClient[]): { open: TestClient[]; codes: Promise<number[]> } => {
    const isOpen = ({ socket }: TestClient): boolean => socket.readyState === socket.OPEN;
    const gone = clients.filter((client) => !isOpen(client));
    return {
      open: clients.filter(isOpen),
      codes: Promise.all(gone.map(async ({ closed }) => (await closed).code)),
    };
  };

  async function expectOne(clients: readonly TestClient[]): Promise<TestClient> {
    const open = await eventually(() => {
      const left = ends(clients).open;
      expect(left.length).toBeLessThan(clients.length);
      return left;
    });
    expect(open).toHaveLength(1);
    expect(await ends(clients).codes).toEqual([4500]);
    await open[0]!.request('$ping', {});
    return open[0]!;
  }

  it('R8: one stays and the other is closed, whatever the links take', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const user = `u${round}`;
      const [a, b] = cluster.nodes.map(({ url }) => url) as [string, string];
      const first = await open(random.pick([a, b]), user);
      if (random.below(2) === 0) await first.client.close();
      for (const proxy of cluster.proxies) proxy.latencyMs = random.pick([0, 0, 1, 3, 10]);
      const both = await Promise.all([open(a, user, first.token), open(b, user, first.token)]);
      try {
        const rest = await expectOne(both.map(({ client }) => client));
        expect((await first.client.closed).code).not.toBe(1006);
        await rest.close();
      } catch (error) {
        throw new Error(`CHAOS_SEED=${seed}, round ${round}: ${(error as Error).message}`, { cause: error });
      }
    }
    for (const proxy of cluster.proxies) proxy.latencyMs = 0;
  }, 600_000);

  it('R27: the older one is closed when its node, which was cut off, hears again', async () => {
    const [a, b] = cluster.nodes.map(({ url }) => url) as [string, string];
    const older = await open(a, 'ann');
    await cluster.proxies[0]!.setMode('cut');
    const newer = await open(b, 'ann', older.token);
    await newer.client.request('$ping', {});
    expect(older.client.socket.readyState).toBe(older.client.socket.OPEN);
    await cluster.proxies[0]!.setMode('pass');
    expect(await expectOne([older.client, newer.client])).toBe(newer.client);
    await newer.client.close();
  });
});
