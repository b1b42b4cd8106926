import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ClusterLinks, ClusterProbe, parseRedisTarget } from '@wss/redis';
import { eventually, RedisClusterServers } from '@wss/testing';
import { ShardedChannels } from '../../src/index.js';

const WITHIN = { withinMs: 20_000 };

let servers: RedisClusterServers;
let links: ClusterLinks;
let channels: ShardedChannels;
let probe: ClusterProbe;
beforeAll(async () => {
  servers = await RedisClusterServers.start();
  links = await ClusterLinks.connect({ target: parseRedisTarget(servers.url) });
  channels = new ShardedChannels(links);
  probe = new ClusterProbe(links, channels, 'probe');
  probe.start();
});
afterAll(async () => {
  probe?.stop();
  channels?.close();
  await links?.close();
  await servers?.stop();
});

/** Ends the connections that have subscriptions. */
const kill = (): Promise<unknown> =>
  Promise.all(servers.servers.map((server) => server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')));

/** Each master is probed once in a round. */
const rounds = (more: number, of: 'answered' | 'missed'): Promise<void> => {
  const before = probe.record[of];
  return eventually(
    () => expect(probe.record[of] - before).toBeGreaterThanOrEqual(more * links.shards.length),
    WITHIN,
  );
};

it('takes no link of a cluster for deaf that has come back, because probes were lost while it was away', async () => {
  await rounds(1, 'answered');
  let away = true;
  const killing = (async () => {
    while (away) await kill();
  })();
  await rounds(1, 'missed');
  away = false;
  await killing;
  await rounds(2, 'answered');
  expect(probe.record.replacements).toEqual([]);
});
