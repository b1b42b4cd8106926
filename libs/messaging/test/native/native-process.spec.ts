import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { GatewayNode, TestClient } from '@wss/testing';

const entry = fileURLToPath(new URL('../child/node.mjs', import.meta.url));

describe('a process with gateways that fail', () => {
  let node: GatewayNode;
  let witness: TestClient;

  beforeAll(async () => {
    node = await GatewayNode.start({ entry });
    witness = await TestClient.connect(node.url);
  });
  afterAll(() => node?.kill());

  /** The process is the same, and so is a client that has nothing to do with it. */
  async function livesOn(): Promise<void> {
    witness.send({ event: 'echo', data: 'still here' });
    expect(await witness.next()).toEqual({ event: 'echo', data: 'still here' });
  }

  const connect = (path: string): Promise<TestClient> => TestClient.connect(new URL(path, node.url).href);

  it.each(['/throws', '/rejects', '/scoped-throws', '/scoped-rejects', '/unbuildable'])(
    'outlives a connection hook: %s',
    async (path) => {
      const client = await connect(path);
      expect(await client.next()).toMatchObject({ event: 'exception' });
      expect(await client.closed).toEqual({ code: 1011, reason: 'internal error' });
      await livesOn();
    },
  );

  it.each(['/leaving-throws', '/leaving-rejects'])('outlives a disconnect hook: %s', async (path) => {
    const client = await connect(path);
    await client.close();
    await node.waitForLine(/handleDisconnect of \S+ failed for client \S+: Error: a hook failed/);
    await livesOn();
  });

  it('outlives a value that is no JSON', async () => {
    const client = await connect('/');
    client.send({ event: 'bigint' });
    expect(await client.next()).toMatchObject({ event: 'exception' });
    await livesOn();
  });

  it('outlives data that nests too deep to be written again', async () => {
    const client = await connect('/');
    client.sendRaw(`{"event":"echo","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`);
    expect(await client.next()).toMatchObject({ event: 'exception' });
    await livesOn();
  });

  it('warns of no leak with 13 gateways on a path, and ends in order', async () => {
    expect(await node.stop()).toBe(0);
    expect(node.output.join('\n')).not.toContain('MaxListenersExceededWarning');
  });
});
