import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisServer } from '@wss/testing';
import { parseRedisTarget } from '../src/index.js';
import { Sentinels } from '../src/links/sentinels.js';

describe('the sentinels of a master', () => {
  let master: RedisServer;
  let server: RedisServer;
  let sentinels: Sentinels;
  beforeAll(async () => {
    master = await RedisServer.start();
    server = await RedisServer.start({ sentinel: [`sentinel monitor wss 127.0.0.1 ${master.port} 1`] });
    sentinels = new Sentinels(parseRedisTarget(`redis+sentinel://127.0.0.1:${server.port}/wss`));
  });
  afterAll(async () => {
    sentinels?.close();
    await server?.stop();
    await master?.stop();
  });

  it('are believed when the process was too busy to read their answer in time', async () => {
    const address = { host: '127.0.0.1', port: master.port };
    expect(await sentinels.find()).toEqual(address);
    const found = sentinels.find();
    const askedAt = performance.now();
    while (performance.now() < askedAt + 1_500);
    expect(await found).toEqual(address);
  });

  it('are not waited for without end', async () => {
    await server.pause();
    await expect(sentinels.find()).rejects.toThrow(
      'no sentinel tells where the master "wss" is (Command timed out)',
    );
    server.resume();
  });
});
