import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { type Appended, Rooms } from '@wss/cluster';
import { Command, CurrentCommand, RoomType } from '@wss/core';
import {
  clusterOnServers,
  eventually,
  type FeatureCluster,
  RedisServer,
  type TestClient,
} from '@wss/testing';

@Injectable()
@RoomType('den', {})
class DenHandlers {
  constructor(private readonly rooms: Rooms) {}

  @SubscribeMessage('den.fail')
  fail(): never {
    throw new TypeError('a bug');
  }

  @SubscribeMessage('den.add')
  add(@CurrentCommand() { room }: Command): Promise<Appended> {
    return this.rooms.to(room!).append('by node', 'den.added', {});
  }

  @SubscribeMessage('den.break')
  break(): never {
    throw new RangeError('another bug');
  }
}

@Module({ providers: [DenHandlers] })
class DenModule {}

describe('a bug of a handler that a client meets again and again', () => {
  const lines: string[] = [];
  let redis: RedisServer;
  let cluster: FeatureCluster;
  let client: TestClient;
  beforeAll(async () => {
    redis = await RedisServer.start();
    cluster = await clusterOnServers(redis, { features: [DenModule], nodes: 1 });
    client = await cluster.connect('ann', { node: 0, room: 'den:1' });
    const ignore = (): void => undefined;
    const error = (message: unknown): void => void lines.push(String(message));
    Logger.overrideLogger({ log: ignore, warn: ignore, debug: ignore, error });
  });
  afterAll(async () => {
    Logger.overrideLogger(['error', 'fatal']);
    await cluster?.stop();
  });

  it('is told once with its stack, each by its handler and class', async () => {
    for (let i = 0; i < 50; i++) {
      for (const event of ['den.fail', 'den.break']) {
        expect((await client.request(event, {}, { room: 'den:1' })).error?.code).toBe('internal');
      }
    }
    expect(lines.filter((line) => line.includes('DenHandlers'))).toEqual([
      expect.stringMatching(/^DenHandlers\.fail failed for client \S+: TypeError: a bug\n +at /),
      expect.stringMatching(/^DenHandlers\.break failed for client \S+: RangeError: another bug\n +at /),
    ]);
  });
});

describe('a Redis that was made a replica', () => {
  const lines: string[] = [];
  let redis: RedisServer;
  let cluster: FeatureCluster;
  beforeAll(async () => {
    redis = await RedisServer.start();
    cluster = await clusterOnServers(redis, { features: [DenModule], nodes: 1 });
    const ignore = (): void => undefined;
    const warn = (message: unknown): void => void lines.push(String(message));
    Logger.overrideLogger({ log: warn, warn, debug: ignore, error: warn });
  });
  afterAll(async () => {
    Logger.overrideLogger(['error', 'fatal']);
    await cluster?.stop();
  });

  const connections = async (): Promise<number> =>
    Number(/total_connections_received:(\d+)/.exec(String(await redis.cli('INFO', 'stats')))![1]);

  it('costs one line for each kind of fault, however often the links are made anew', async () => {
    const client = await cluster.connect('ann', { room: 'den:1' });
    await redis.cli('REPLICAOF', '127.0.0.1', '1');
    // Each look is a connection, too.
    let looks = 0;
    const before = await connections();
    await eventually(
      async () => {
        const { error } = await client.request('den.add', {}, { room: 'den:1' });
        expect(error?.code).toMatch(/^(unavailable|unknown_outcome)$/);
        expect((await connections()) - before - ++looks).toBeGreaterThan(20);
      },
      { withinMs: 20_000 },
    );
    const kinds = lines.map((line) => line.replace(/\d+/g, '#'));
    expect(kinds.length).toBeGreaterThan(0);
    expect([...new Set(kinds)].sort()).toEqual([...kinds].sort());
  });
});
