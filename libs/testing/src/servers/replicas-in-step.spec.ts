import { afterEach, expect, it } from '@jest/globals';
import { eventually } from '../waiting/eventually.js';
import { RedisServer } from './redis-server.js';
import { replicasInStep } from './replicas-in-step.js';

const servers: RedisServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

async function pair(): Promise<[master: RedisServer, replica: RedisServer]> {
  const master = await RedisServer.start();
  servers.push(master);
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
  servers.push(replica);
  return [master, replica];
}

it('waits for what a replica lacks that the master calls online', async () => {
  const [master, replica] = await pair();
  const expectOnline = async (): Promise<void> =>
    expect(String(await master.cli('INFO', 'replication'))).toContain('state=online');
  await eventually(expectOnline);
  await replica.pause();
  await master.cli('SET', 'key', 'newest');
  await expectOnline();
  let isDone = false;
  const inStep = replicasInStep([master, replica], { withinMs: 20_000 }).then(() => (isDone = true));
  // The replica's state is asked for over a connection that it accepts but does not serve.
  for (let i = 0; i < 100; i++) await master.cli('PING');
  expect(isDone).toBe(false);
  replica.resume();
  await inStep;
  expect(await replica.cli('GET', 'key')).toBe('newest');
});

it('is never content with a replica that follows nobody', async () => {
  const [master, replica] = await pair();
  await replicasInStep([master, replica]);
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  await expect(replicasInStep([master, replica], { withinMs: 200 })).rejects.toThrow('not in step');
});
