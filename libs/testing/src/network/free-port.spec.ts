import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

it('finds a port that can be bound and that no outgoing connection gets by itself', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThanOrEqual(15_000);
  expect(port).toBeLessThan(22_000);
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
});

it('gives no port again soon, so that a server which is down finds its own free', async () => {
  const ports: number[] = [];
  for (let i = 0; i < 200; i++) ports.push(await freePort());
  expect(new Set(ports).size).toBe(ports.length);
});

it('finds several in a row', async () => {
  const first = await freePort(5);
  const before = await freePort();
  expect(before < first || before >= first + 5).toBe(true);
  const servers = [0, 1, 2, 3, 4].map((i) => createServer().listen(first + i, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  for (const server of servers) server.close();
});

it('gives no port that another worker gives', async () => {
  const script = `import { claimPorts } from './tools/jest/ports.mjs';
const workers = [await claimPorts(), await claimPorts()];
console.log(JSON.stringify(workers.map((next) => Array.from({ length: 300 }, () => next(1)))));`;
  const args = ['--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const [one, other] = (JSON.parse(stdout) as number[][]).map((ports) => new Set(ports));
  const ours: number[] = [];
  for (let i = 0; i < 50; i++) ours.push(await freePort());
  expect([...one!].filter((port) => other!.has(port))).toEqual([]);
  expect(ours.filter((port) => one!.has(port) || other!.has(port))).toEqual([]);
});
