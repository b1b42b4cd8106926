import { afterEach, expect, it } from '@jest/globals';
import { type INestApplication, Logger } from '@nestjs/common';
import { eventually, RedisServer, TestClient } from '@wss/testing';
import { PollModule } from './poll.js';
import { socketUrl, startApp } from './test-app.js';

interface Line {
  readonly level: string;
  readonly text: string;
}

/** Most lines that one outage may cost at the default level. */
const MOST_LINES = 14;
const seed = Number(process.env.OUTAGE_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Ways in which Redis is away. */
const WAYS = {
  freeze: { begin: (redis: RedisServer) => redis.pause(), end: async (redis: RedisServer) => redis.resume() },
  kill: { begin: (redis: RedisServer) => redis.kill(), end: (redis: RedisServer) => redis.restart() },
  pause: {
    begin: (redis: RedisServer) => redis.cli('CLIENT', 'PAUSE', 600_000, 'WRITE'),
    end: (redis: RedisServer) => redis.cli('CLIENT', 'UNPAUSE'),
  },
};

let app: INestApplication | undefined;
let redis: RedisServer | undefined;
afterEach(async () => {
  await app?.close();
  await redis?.stop();
  Logger.overrideLogger(false);
});

it('tells a long outage once as an error, and its end, in few lines, however Redis is away', async () => {
  redis = await RedisServer.start();
  app = await startApp('fastify', { auth: 'none', redis: redis.url }, [PollModule]);
  const lines: Line[] = [];
  const to = (level: string) => (text: unknown) => void lines.push({ level, text: String(text) });
  Logger.overrideLogger({ log: to('log'), warn: to('warn'), error: to('error') });
  const clients = await Promise.all([1, 2, 3].map(async () => TestClient.connect(await socketUrl(app!))));
  await Promise.all(clients.map((client, i) => client.join(`poll:${i}`)));
  const found = (pattern: RegExp): Line[] => lines.filter(({ text }) => pattern.test(text));
  // A paused server still takes connections and answers reads, a frozen one does neither.
  const silent = seed % 4 < 2 ? ('freeze' as const) : ('pause' as const);
  const order = seed % 2 === 0 ? ([silent, 'kill'] as const) : (['kill', silent] as const);
  for (const way of order) {
    lines.length = 0;
    await WAYS[way].begin(redis);
    await eventually(() => expect(found(/has not served for 10 s/)).toHaveLength(1), { withinMs: 60_000 });
    await WAYS[way].end(redis);
    await eventually(() => expect(found(/serves again, after \d+\.\d s/)).toHaveLength(1), {
      withinMs: 60_000,
    });
    await eventually(async () => expect((await clients[0]!.request('$ping', {})).error).toBeUndefined());
    // A Redis without a file is empty after its death, which is a fault of its own.
    const errors = lines.filter(({ level, text }) => level === 'error' && !/lost their history/.test(text));
    expect({ seed, way, errors }).toEqual({
      seed,
      way,
      errors: [expect.objectContaining({ text: expect.stringContaining(`127.0.0.1:${redis.port}`) })],
    });
    for (const kind of [/the \w+ link to \S+ is lost/, /links to Redis are back/, /^degraded/])
      expect({ seed, way, kind, found: found(kind).length <= 1 ? [] : found(kind) }).toMatchObject({
        found: [],
      });
    expect({ seed, way, few: lines.length <= MOST_LINES ? [] : lines }).toEqual({ seed, way, few: [] });
  }
  for (const client of clients) await client.close();
}, 200_000);
