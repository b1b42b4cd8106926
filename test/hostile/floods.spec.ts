import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { type Flood, FLOODS, GatewayNode, RawClient } from '@wss/testing';
import { Witness } from './witness.js';

const ROUNDS = process.env.HOSTILE === 'long' ? 300 : 15;
/** Far below of what any of these floods would fill if it was kept. */
const MAX_GROWTH_MEBIBYTES = 200;

describe('R29: a flood costs its sender only', () => {
  let node: GatewayNode;
  let witness: Witness;

  beforeAll(async () => {
    node = await GatewayNode.start();
    witness = await Witness.connect(node, 'chat:witness');
  });
  afterAll(async () => {
    witness?.end();
    await node?.stop();
  });

  it.each(Object.keys(FLOODS))('of %s', async (kind) => {
    const { pid } = node;
    const before = rssOf(node);
    const client = await RawClient.connect(node.port, '/?user=hostile');
    const over = new AbortController();
    const flooding = flood(client, FLOODS[kind]!, over.signal);
    // All of it while the flood goes on.
    await witness.goOn(ROUNDS);
    over.abort();
    client.terminate();
    await flooding;
    await witness.goOn(1);
    expect(client.socket.bytesWritten).toBeGreaterThan(10_000);
    expect(rssOf(node) - before).toBeLessThan(MAX_GROWTH_MEBIBYTES);
    expect([node.pid, await node.readiness()]).toEqual([pid, 200]);
  });
});

async function flood(client: RawClient, { reads, bytes }: Flood, over: AbortSignal): Promise<void> {
  if (!reads) client.stopReading();
  for (let round = 0; !over.aborted && !client.socket.destroyed; round++) await client.written(bytes(round));
}

function rssOf({ pid }: GatewayNode): number {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Math.round(Number(kibibytes) / 1_024);
}
