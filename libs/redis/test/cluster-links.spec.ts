import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisClusterServers } from '@wss/testing';
import { ClusterFence, ClusterLinks, LuaScript, parseRedisTarget, slotOf } from '../src/index.js';

const ADD = new LuaScript<number>(new URL('./lua/add.lua', import.meta.url));
const KEYS = Array.from({ length: 9 }, (_, i) => `t:{${i}}`);

describe('links to a Redis Cluster', () => {
  let servers: RedisClusterServers;
  let links: ClusterLinks;
  beforeAll(async () => {
    servers = await RedisClusterServers.start({ replicas: 1 });
    // One that answers is enough, and it need not be a master.
    const hosts = ['127.0.0.1:1', `127.0.0.1:${servers.servers.at(-1)!.port}`];
    const target = parseRedisTarget(`redis://${hosts.join(',')}`);
    links = await ClusterLinks.connect({ target, withFence: true });
  });
  afterAll(async () => {
    await links?.close();
    await servers?.stop();
  });

  const move = async (key: string): Promise<void> =>
    servers.moveSlot(slotOf(key), await servers.otherThan(slotOf(key)));

  it('hash slots as Redis does', async () => {
    for (const key of [...KEYS, 'ключ', 'a{b', 'a{}b', '{{a}}']) {
      expect(slotOf(key)).toBe(await servers.slotOf(key));
    }
  });

  it('sends the commands of a pipeline to all masters, and brings the results in order', async () => {
    expect(new Set(KEYS.map((key) => links.shardOf(slotOf(key)))).size).toBe(3);
    const pipeline = links.commands.pipeline();
    for (const key of KEYS) pipeline.set(key, key);
    pipeline.hget(KEYS[0]!, 'a');
    for (const key of KEYS) pipeline.get(key);
    const results = (await pipeline.exec())!;
    expect(results[9]).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/^WRONGTYPE/) }),
      undefined,
    ]);
    expect(results.slice(10)).toEqual(KEYS.map((key) => [null, key]));
  });

  it('finds keys where their slot moved to', async () => {
    await move(KEYS[0]!);
    expect(await links.commands.get(KEYS[0]!)).toBe(KEYS[0]);
    expect(await ADD.run(links.commands, ['t:{0}:n'], [])).toBe(1);
  });

  it("R30: finds keys where their slot moved to after the node's clock was set back by an hour", async () => {
    const now = Date.now;
    await links.refresh();
    Date.now = () => now() - 3_600_000;
    try {
      await move(KEYS[0]!);
      expect(await links.commands.get(KEYS[0]!)).toBe(KEYS[0]);
    } finally {
      Date.now = now;
    }
  });

  it('runs no script in a slot that is between two masters, not even one whose keys are all on one side', async () => {
    const key = 't:{1}:n';
    expect(await ADD.run(links.commands, [key], [])).toBe(1);
    const to = await servers.otherThan(slotOf(key));
    const from = await servers.beginMove(slotOf(key), to);
    await expect(ADD.run(links.commands, [key], [])).rejects.toMatchObject({ failure: 'refused' });
    await servers.finishMove(slotOf(key), to, from);
    expect(await ADD.run(links.commands, [key], [])).toBe(2);
  });

  it('R19: proves what has reached the replicas of the master of a key, and of no other', async () => {
    const [key] = KEYS as [string];
    const fence = new ClusterFence(links, 't:fence', 1);
    const historyOf = async (of: string): Promise<string> => {
      const info = String(await links.shardOf(slotOf(of))!.commands.info('replication'));
      return /master_replid:(\w+)/.exec(info)![1]!;
    };
    expect(await fence.wait(await historyOf(key), 5_000, key)).toBe(true);
    const other = KEYS.find((one) => links.shardOf(slotOf(one)) !== links.shardOf(slotOf(key)))!;
    expect(await fence.wait(await historyOf(other), 5_000, key)).toBe(false);
    expect(await new ClusterFence(links, 't:fence', 2).wait(await historyOf(key), 300, key)).toBe(false);
  });
});
