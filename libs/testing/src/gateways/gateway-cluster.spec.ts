import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { GatewayCluster, type GatewayClusterOptions } from './gateway-cluster.js';
import type { GatewayNode } from './gateway-node.js';
import { reaper } from '../processes/reaper.js';
import { TemporaryFolder } from '../processes/temporary-folder.js';
import { writeFakeGateway } from '../../test/fake-gateway.js';

let folder: TemporaryFolder;
let entry: string;
let cluster: GatewayCluster | undefined;

beforeAll(() => {
  folder = new TemporaryFolder('fake-gateway');
  entry = writeFakeGateway(folder);
});
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});
afterAll(() => folder.remove());

async function start(options: GatewayClusterOptions): Promise<GatewayCluster> {
  return (cluster = await GatewayCluster.start({ entry, ...options }));
}
const ask = async (node: GatewayNode, path: string) =>
  (await fetch(node.httpUrl + path, { signal: AbortSignal.timeout(5_000) })).text();

it('starts three nodes on one Redis', async () => {
  const { nodes, redis } = await start({ env: { WS_PATH: '/ws' }, redis: { args: ['--maxclients', '77'] } });
  expect(new Set(nodes.map((node) => node.nodeId)).size).toBe(3);
  for (const node of nodes) {
    expect(await ask(node, 'redis')).toBe('+PONG\r\n');
    expect(JSON.parse(await ask(node, 'env'))).toMatchObject({ REDIS_SERVER: redis.url, WS_PATH: '/ws' });
  }
  expect(await redis.cli('CONFIG', 'GET', 'maxclients')).toEqual(['maxclients', '77']);
});

it('gives each node its own way to Redis where it is proxied', async () => {
  const { nodes, proxies } = await start({ nodes: 2, proxied: true });
  await proxies[0]!.setMode('cut');
  expect(await Promise.all(nodes.map((node) => ask(node, 'redis')))).toEqual(['ECONNREFUSED', '+PONG\r\n']);
});

it('takes further nodes in', async () => {
  const { nodes, proxies } = await start({ nodes: 1, proxied: true, env: { A: '1', B: '1' } });
  const added = await cluster!.addNode({ B: '2' });
  expect([nodes.length, proxies.length, nodes[1]]).toEqual([2, 2, added]);
  expect(JSON.parse(await ask(added, 'env'))).toMatchObject({ A: '1', B: '2' });
});

it('stops everything, whatever has ended before', async () => {
  const { nodes, proxies, redis } = await start({ nodes: 3, proxied: true });
  const pids = [redis.pid, ...nodes.map((node) => node.pid)];
  await nodes[0]!.kill();
  await nodes[1]!.pause();
  await redis.pause();
  await cluster!.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect(proxies.map((proxy) => proxy.connections)).toEqual([0, 0, 0]);
});

it('leaves nothing behind when a node does not come up', async () => {
  const failed = GatewayCluster.start({ entry, nodes: 2, proxied: true, env: { FAKE: 'broken' } });
  await expect(failed).rejects.toThrow('WS_PATH must start');
  expect([...reaper.processes]).toEqual([]);
});
