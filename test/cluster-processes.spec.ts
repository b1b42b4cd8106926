import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { eventually, GatewayCluster, TestClient } from '@wss/testing';

const ENTRY = fileURLToPath(new URL('fixtures/cluster-node.mjs', import.meta.url));

interface Heard {
  readonly from: string;
  readonly data: unknown;
}

describe('three node processes', () => {
  let cluster: GatewayCluster;
  let clients: TestClient[];

  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 3, entry: ENTRY });
    clients = await Promise.all(cluster.nodes.map(({ url }) => TestClient.connect(url)));
  });
  afterAll(async () => {
    await Promise.all((clients ?? []).map((client) => client.close()));
    await cluster?.stop();
  });

  it('hear every cluster event once, in one order, whoever sent it', async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    await Promise.all(
      clients.flatMap((client) => numbers.map((n) => client.command('probe.emit', { number: n }))),
    );
    const heard = await eventually(async () => {
      const all = await Promise.all(clients.map((client) => client.command<Heard[]>('probe.read')));
      for (const events of all) expect(events).toHaveLength(300);
      return all;
    });
    expect(heard[1]).toEqual(heard[0]);
    expect(heard[2]).toEqual(heard[0]);
    for (const { nodeId } of cluster.nodes) {
      const said = heard[0]!.filter(({ from }) => from === nodeId).map(({ data }) => data);
      expect(said).toHaveLength(100);
      expect(new Set(said.map((data) => JSON.stringify(data))).size).toBe(100);
    }
  });

  it('answer a call, each for itself', async () => {
    const answers = await clients[0]!.command('probe.call', { number: 1 });
    expect(answers).toHaveLength(3);
    for (const { nodeId, pid } of cluster.nodes) {
      expect(answers).toContainEqual({ nodeId, data: { pid, data: { number: 1 } } });
    }
  });

  it('leave out who was killed, without failing, and mark who stands still', async () => {
    const [, standing, killed] = cluster.nodes;
    await standing!.pause();
    const marked = await clients[0]!.command('probe.call', { number: 2 });
    standing!.resume();
    expect(marked).toHaveLength(3);
    expect(marked).toContainEqual({ nodeId: standing!.nodeId, missing: true });

    await killed!.kill();
    await eventually(
      async () => {
        const answers = await clients[0]!.command<object[]>('probe.call', { number: 3 });
        expect(answers).toHaveLength(2);
        for (const answer of answers) expect(answer).toHaveProperty('data');
      },
      { withinMs: 20_000 },
    );
  });
});
