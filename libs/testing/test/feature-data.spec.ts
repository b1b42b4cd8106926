import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import { Appended, Command, CurrentCommand, Rooms, RoomType } from '@wss/nest';
import { eventually, FeatureCluster } from '@wss/nest/testing';
import { RedisClusterServers, RedisServer, SentinelServers } from '@wss/testing';
import { IsString } from 'class-validator';

class Note {
  @IsString()
  text!: string;
}

@Injectable()
@RoomType('note', { presence: true, durable: false, events: { 'note.written': Note } })
class NoteHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('note.write')
  write(@MessageBody() { text }: Note, @CurrentCommand() command: Command): Promise<Appended> {
    return this.rooms.to(command.room!).append(command, Note, { text });
  }
}

@Module({ providers: [NoteHandlers] })
class NoteModule {}

/** Deployments of Redis that a user may have, with all their masters. */
const deployments = {
  'one server': async () => {
    const server = await RedisServer.start({ password: 'p@ss/word' });
    return { url: server.url, masters: () => [server], stop: () => server.stop() };
  },
  sentinels: async () => {
    const servers = await SentinelServers.start({ replicas: 1 });
    return { url: servers.url, masters: () => [servers.servers[0]!], stop: () => servers.stop() };
  },
  'a Redis Cluster': async () => {
    const cluster = await RedisClusterServers.start({ masters: 3 });
    return { url: cluster.url, masters: () => cluster.servers, stop: () => cluster.stop() };
  },
};

describe.each(Object.entries(deployments))('a Redis of yours, %s', (_, start) => {
  let yours: Awaited<ReturnType<typeof start>>;
  let cluster: FeatureCluster | undefined;
  beforeAll(async () => {
    yours = await start();
  }, 60_000);
  afterEach(() => cluster?.stop());
  afterAll(() => yours?.stop());

  const keys = async (): Promise<string[]> =>
    (await Promise.all(yours.masters().map((master) => master.cli('KEYS', '*')))).flat() as string[];
  const open = () => FeatureCluster.start({ features: [NoteModule], engine: { url: yours.url }, nodes: 2 });

  it('keeps its own keys, and is left without any of the test', async () => {
    await yours.masters()[0]!.cli('EVAL', "for i = 1, 3 do pcall(redis.call, 'SET', 'wss:own', i) end", 0);
    const before = await keys();
    cluster = await open();
    const [ann, bob] = [await cluster.join('ann', 'note:1'), await cluster.join('bob', 'note:1')];
    await ann.command('note.write', { text: 'hi' });
    await bob.event('note.written');
    for (let i = 0; i < 20; i++)
      await (await cluster.join('eve', `note:${i}`)).command('note.write', { text: 'x' });
    expect((await keys()).length).toBeGreaterThan(before.length + 20);
    await cluster.stop();
    expect(await keys()).toEqual(before);
  });

  it('shows two clusters nothing of each other', async () => {
    cluster = await open();
    const other = await open();
    try {
      const ann = await cluster.join('ann', 'note:1');
      const bob = await other.join('bob', 'note:1');
      await ann.command('note.write', { text: 'hi' });
      await bob.command('note.write', { text: 'ho' });
      expect((await bob.event('note.written')).data).toEqual({ text: 'ho' });
      expect(bob.log).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });

  it('has no faults', async () => {
    cluster = await open();
    const work = () => Promise.resolve();
    await expect(cluster.outage(work)).rejects.toThrow("use the engine 'memory' or 'redis'");
    await expect(cluster.loseTail(work)).rejects.toThrow("use the engine 'memory' or 'redis'");
  });
});

describe('the end of a cluster', () => {
  it('ends everything when a part fails, and says which', async () => {
    const redis = await RedisServer.start();
    const cluster = await FeatureCluster.start({
      features: [NoteModule],
      engine: { url: redis.url },
      nodes: 2,
    });
    const ann = await cluster.join('ann', 'note:1');
    await redis.stop();
    await expect(cluster.stop()).rejects.toThrow('could not be removed from your Redis');
    await expect(cluster.stop()).rejects.toThrow('could not be removed from your Redis');
    expect((await ann.client.closed).code).toBe(1000);
    for (const node of cluster.nodes) await expect(fetch(node.httpUrl)).rejects.toThrow('fetch failed');
  });

  it('comes after an outage whose work failed', async () => {
    const cluster = await FeatureCluster.start({ features: [NoteModule] });
    const ann = await cluster.join('ann', 'note:1');
    const fail = () => Promise.reject(new Error('a test failed'));
    await expect(cluster.outage(fail)).rejects.toThrow('a test failed');
    await expect(cluster.loseTail(fail)).rejects.toThrow('a test failed');
    await eventually(() => ann.command('note.write', { text: 'on' }));
    await cluster.stop();
  });
});

describe('a machine without redis-server', () => {
  const { PATH } = process.env;
  afterAll(() => void (process.env.PATH = PATH));

  it('is told what to do', async () => {
    process.env.PATH = '/nonexistent';
    await expect(FeatureCluster.start({ features: [NoteModule], engine: 'redis' })).rejects.toThrow(
      `cannot run "redis-server": install redis-server (7.0 or newer), or let the test use engine: 'memory', or engine: { url } of a Redis that runs already`,
    );
  });
});
