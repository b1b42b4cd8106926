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
const MOST_LINES = 16;
const seed = Number(process.env.OUTAGE_SEED ?? Math.floor(Math.random() * 2 ** 31));

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
  const order = seed % 2 === 0 ? (['freeze', 'kill'] as const) : (['kill', 'freeze'] as const);
  for (const way of order) {
    lines.length = 0;
    if (way === 'freeze') await redis.pause();
    else await redis.kill();
    await eventually(() => expect(found(/has not served for 10 s/)).toHaveLength(1), { withinMs: 60_000 });
    if (way === 'freeze') redis.resume();
    else await redis.restart();
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
    expect({ seed, way, few: lines.length <= MOST_LINES ? [] : lines }).toEqual({ seed, way, few: [] });
  }
  for (const client of clients) await client.close();
}, 200_000);
