import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { newSeed, Random, RedisServer } from '@wss/testing';
import { PatientRedis } from '../src/links/patient-redis.js';

let server: RedisServer;
let link: PatientRedis;
beforeAll(async () => {
  server = await RedisServer.start();
  link = new PatientRedis({ host: '127.0.0.1', port: server.port }, 60_000);
  await link.ping();
});
afterAll(async () => {
  link?.disconnect();
  await server?.stop();
});

/** How often Redis has read from its clients. */
async function reads(): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await link.info('stats'))![1]);
}

/** Appends numbers to a list, some at once, some from callbacks of the same turn, and some as pipelines. */
function appendAll(random: Random, count: number): Promise<unknown>[] {
  const sent: Promise<unknown>[] = [];
  let next = 0;
  const append = (): void => {
    if (random.below(8) > 0) return void sent.push(link.rpush('list', next++));
    const pipeline = link.pipeline();
    for (let i = random.below(3); i >= 0; i--) pipeline.rpush('list', next++);
    sent.push(pipeline.exec());
  };
  while (next < count) {
    if (random.below(4) > 0) append();
    else sent.push(Promise.resolve().then(append));
  }
  return sent;
}

it('commands of one turn are written together, in their order, however they were sent', async () => {
  const random = new Random(newSeed());
  for (let round = 0; round < 30; round++) {
    await link.del('list');
    const before = await reads();
    const sent = appendAll(random, 20 + random.below(180));
    await Promise.all(sent);
    const read = (await reads()) - before;
    const list = (await link.lrange('list', 0, -1)).map(Number);
    expect(list.length).toBeGreaterThanOrEqual(20);
    expect(list).toEqual(list.map((_, index) => index));
    // One for them and one for the last question; a busy kernel may hand them over in parts.
    expect(read).toBeLessThan(8);
  }
});

it('a link that is let go of in the turn of its commands settles all of them', async () => {
  const random = new Random(newSeed());
  for (let round = 0; round < 10; round++) {
    const lost = new PatientRedis(
      { host: '127.0.0.1', port: server.port, retryStrategy: () => null },
      60_000,
    );
    await lost.ping();
    const sent = Array.from({ length: 1 + random.below(20) }, () => lost.incr(`lost:${round}`));
    const settled = Promise.allSettled(sent);
    if (random.below(2) === 0) lost.disconnect();
    else lost.stream.destroy();
    const outcomes = await settled;
    // An answer is told only of what was done.
    const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(answers).toEqual(answers.map((_, index) => index + 1));
    expect(Number(await link.get(`lost:${round}`))).toBeGreaterThanOrEqual(answers.length);
    lost.disconnect();
  }
});
