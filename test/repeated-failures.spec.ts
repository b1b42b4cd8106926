import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { SubscribeMessage } from '@nestjs/websockets';
import { RoomType } from '@wss/core';
import { FeatureCluster, RedisServer, type TestClient } from '@wss/testing';

@Injectable()
@RoomType('den', {})
class DenHandlers {
  @SubscribeMessage('den.fail')
  fail(): never {
    throw new TypeError('a bug');
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
    cluster = await FeatureCluster.start({ features: [DenModule], nodes: 1, engine: redis });
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
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^DenHandlers\.fail failed for client \S+: TypeError: a bug\n +at /);
    expect(lines[1]).toMatch(/^DenHandlers\.break failed for client \S+: RangeError: another bug\n +at /);
  });
});
