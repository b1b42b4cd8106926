import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { parseRedisTarget, RedisLinks } from '@wss/redis';
import { MemoryEngine } from '@wss/state';
import { eventually, RedisServer } from '@wss/testing';
import { type Channels, MemoryClusterChannels, RedisChannels } from '../../src/index.js';

describe.each(['memory', 'Redis'])('a listener that throws, on %s', (name) => {
  let server: RedisServer | undefined;
  let links: RedisLinks | undefined;
  let channels: Channels;
  beforeAll(async () => {
    if (name === 'memory') {
      channels = new MemoryClusterChannels(new MemoryEngine());
      return;
    }
    server = await RedisServer.start();
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url) });
    channels = new RedisChannels(links);
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });

  it('costs only itself and is logged once, however many messages come', async () => {
    const errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const heard: string[] = [];
    await channels.subscribe('news', () => {
      throw new Error('a fault of ours');
    });
    await channels.subscribe('news', (message) => heard.push(message));
    for (const message of ['a', 'b', 'c']) await channels.publish('news', message);
    await eventually(() => expect(heard).toEqual(['a', 'b', 'c']));
    expect(errors).toHaveBeenCalledTimes(1);
    errors.mockRestore();
  });

  it('to interruptions keeps the others from nothing', async () => {
    if (!server) return;
    const heard: boolean[] = [];
    channels.onInterruption(() => {
      throw new Error('another fault of ours');
    });
    channels.onInterruption((interrupted) => heard.push(interrupted.has('news')));
    await server.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await eventually(() => expect(heard).toEqual([true]));
  });
});
