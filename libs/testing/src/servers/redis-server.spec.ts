import { afterEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventually } from '../waiting/eventually.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';

const servers: RedisServer[] = [];
const clients: Redis[] = [];

async function start(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  servers.push(server);
  return server;
}
function client(address: string, commandTimeout = 5_000): Redis {
  const redis = new Redis(address, { commandTimeout, retryStrategy: () => null });
  clients.push(redis);
  return redis;
}
const folderOf = async (server: RedisServer) => ((await server.cli('CONFIG', 'GET', 'dir')) as string[])[1]!;

afterEach(async () => {
  for (const redis of clients.splice(0)) redis.disconnect();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

it('answers at its URL, persists nothing and evicts nothing', async () => {
  const server = await start();
  expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
  expect(await client(server.url).ping()).toBe('PONG');
  expect(await server.cli('CONFIG', 'GET', 'save')).toEqual(['save', '']);
  expect(await server.cli('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
  expect(await server.cli('CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
});

it('runs several at once, each on its own port and in its own folder', async () => {
  const started = await Promise.all([start(), start(), start(), start()]);
  expect(new Set(started.map((server) => server.port)).size).toBe(4);
  expect(new Set(await Promise.all(started.map(folderOf))).size).toBe(4);
});

it('listens on a Unix socket and wants a password where asked to', async () => {
  const server = await start({ unixSocket: true, password: 'p/w d' });
  const redis = new Redis({ path: server.socketPath, password: 'p/w d' });
  clients.push(redis);
  expect(await redis.ping()).toBe('PONG');
  expect(await client(server.url).ping()).toBe('PONG');
  const { socketPath } = server;
  await server.stop();
  expect(existsSync(dirname(socketPath))).toBe(false);
  expect(() => new URL(server.url)).not.toThrow();
});

it('comes back on the same port: empty without a file, with its data with one', async () => {
  const plain = await start();
  const kept = await start({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  for (const server of [plain, kept]) await server.cli('SET', 'key', 'value');
  const port = plain.port;
  await Promise.all([plain.restart(), kept.kill().then(() => kept.restart())]);
  expect(await plain.cli('GET', 'key')).toBeNull();
  expect(await kept.cli('GET', 'key')).toBe('value');
  expect(plain.port).toBe(port);
});

it('is gone when kill() resolves', async () => {
  const server = await start();
  const { pid } = server;
  await server.kill();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect(() => server.pid).toThrow('does not run');
  await expect(server.cli('PING')).rejects.toThrow('ECONNREFUSED');
  await server.kill();
});

it('does not answer while it is paused, and goes on afterwards', async () => {
  const server = await start();
  const redis = client(server.url, 200);
  await redis.ping();
  await server.pause();
  await expect(redis.incr('n')).rejects.toThrow('Command timed out');
  server.resume();
  expect(await server.cli('GET', 'n')).toBe('1');
});

it('stops while it is paused', async () => {
  const server = await start();
  const folder = await folderOf(server);
  await server.pause();
  await server.stop();
  expect(existsSync(folder)).toBe(false);
  await server.stop();
});

it('takes further arguments, such as those of a replica', async () => {
  const primary = await start();
  const replica = await start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  await primary.cli('SET', 'key', 'value');
  await eventually(async () => expect(await replica.cli('GET', 'key')).toBe('value'));
});

it('passes on what the server refuses', async () => {
  const server = await start();
  await expect(server.cli('NOSUCH')).rejects.toThrow(/unknown command/);
});

it('shows the log of a server that does not come up', async () => {
  const bad = RedisServer.start({ args: ['--no-such-directive', '1'] });
  await expect(bad).rejects.toThrow(/ended at its start[^]*no-such-directive/);
  const elsewhere = RedisServer.start({ args: ['--port', '0'], unixSocket: true, readyWithinMs: 300 });
  await expect(elsewhere).rejects.toThrow(/does not answer:[^]*ready to accept connections/);
});

it('names the remedy when there is no Redis', async () => {
  const missing = RedisServer.start({ binary: 'no-such-redis-server' });
  await expect(missing).rejects.toThrow('install redis-server');
});
