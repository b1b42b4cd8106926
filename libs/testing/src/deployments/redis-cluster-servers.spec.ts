import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisClusterServers } from './redis-cluster-servers.js';

describe('a Redis Cluster of its own', () => {
  let servers: RedisClusterServers;
  beforeAll(async () => void (servers = await RedisClusterServers.start({ password: 'a/secret@' })));
  afterAll(() => servers?.stop());

  it('names all its servers', () => {
    const hosts = servers.servers.map(({ port }) => `127.0.0.1:${port}`);
    expect(servers.url).toBe(`redis://:a%2Fsecret%40@${hosts.join(',')}`);
  });

  it('moves a slot with its keys', async () => {
    const slot = await servers.slotOf('{a}1');
    const [from, to] = [await servers.masterOf(slot), await servers.otherThan(slot)];
    await from.cli('SET', '{a}1', 'x');
    await servers.moveSlot(slot, to);
    expect(await servers.masterOf(slot)).toBe(to);
    expect(await to.cli('GET', '{a}1')).toBe('x');
    await expect(from.cli('GET', '{a}1')).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${to.port}`);
  });
});
