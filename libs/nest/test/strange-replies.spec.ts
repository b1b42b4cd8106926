import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type INestApplication, Injectable, Module } from '@nestjs/common';
import { Presence, Readiness, Rooms, RoomType, Sessions, Users } from '@wss/nest';
import { eventually, newSeed, Random, RedisServer, TestClient } from '@wss/testing';
import { socketUrl, startApp } from './test-app.js';

@Injectable()
@RoomType('note', { presence: true })
class Notes {}

@Module({ providers: [Notes] })
class NotesModule {}

/** Complete replies of Redis that are none to the command that was sent. */
const STRANGE = [
  '+OK\r\n',
  ':7\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '$3\r\nfoo\r\n',
  '$0\r\n\r\n',
  '*1\r\n*0\r\n',
  '*2\r\n$-1\r\n:1\r\n',
  '*3\r\n:1\r\n$3\r\nfoo\r\n*2\r\n:1\r\n:2\r\n',
  '-ERR strange\r\n',
];
/** The driver's own questions of a new connection are answered as they are. */
const OWN = 12;

/** Types of RESP that hold other replies, and how many for each that they count. */
const HOLDS: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2 };

/** The end of the reply that begins here; undefined if not all of it has come. */
function endOf(text: string, from: number): number | undefined {
  const line = text.indexOf('\r\n', from);
  if (line < 0) return undefined;
  const count = Number(text.slice(from + 1, line));
  if ('$=!'.includes(text[from]!)) {
    const end = line + 2 + (count < 0 ? 0 : count + 2);
    return end <= text.length ? end : undefined;
  }
  let end: number | undefined = line + 2;
  for (let i = count * (HOLDS[text[from]!] ?? 0); i > 0 && end !== undefined; i--) end = endOf(text, end);
  return end;
}

const random = new Random(newSeed());
let share = 0;
let replaced = 0;

/** Hands replies on, and others in place of some of them. */
function disturb(client: Socket, port: number): void {
  const server = connect(port, '127.0.0.1');
  let [rest, count, isSubscriber] = ['', 0, false];
  client.on('data', (bytes: Buffer) => {
    isSubscriber ||= /subscribe/i.test(bytes.toString('latin1'));
    server.write(bytes);
  });
  server.on('data', (bytes: Buffer) => {
    rest += bytes.toString('latin1');
    for (let end = endOf(rest, 0); end !== undefined && rest !== ''; end = endOf(rest, 0)) {
      const isStrange = !isSubscriber && rest[0] !== '>' && ++count > OWN && random.next() < share;
      if (isStrange) replaced++;
      client.write(isStrange ? random.pick(STRANGE) : rest.slice(0, end), 'latin1');
      rest = rest.slice(end);
    }
  });
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const)
    one.on('error', () => undefined).on('close', () => other.destroy());
}

let redis: RedisServer;
let app: INestApplication | undefined;
const proxy = createServer();
beforeAll(async () => {
  redis = await RedisServer.start();
  proxy.on('connection', (socket) => disturb(socket, redis.port)).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const options = { auth: 'none', redis: `redis://127.0.0.1:${port}`, drain: { windowMs: 0 } } as const;
  app = await startApp('fastify', options, [NotesModule]);
});
afterAll(async () => {
  share = 0;
  await app?.close();
  await redis?.stop();
  proxy.close();
});

/** Something that asks Redis, whatever becomes of it. */
async function anything(i: number): Promise<void> {
  const room = `note:${random.below(50)}`;
  const user = `user ${random.below(20)}`;
  const get = app!.get.bind(app!);
  const works: (() => Promise<unknown>)[] = [
    () => get(Rooms).to(room).append('by node', 'note.said', { i }),
    () => get(Rooms).to(room).remove(user, { reason: 'strange', by: 'tests' }),
    () => get(Presence).of(room).list(),
    () => get(Users).revoke(user, { by: 'tests' }),
    () => get(Users).disconnect(user),
    () => get(Sessions).revoke(`s${i}`, { by: 'tests' }),
    async () => {
      const client = await TestClient.connect(await socketUrl(app!), { user, session: true });
      await client.join(room).catch(() => undefined);
      await client.close();
    },
  ];
  await random
    .pick(works)()
    .catch(() => undefined);
}

it('outlives replies of Redis that are none to what was asked, and serves when they are over', async () => {
  for (const part of [0.02, 0.3, 1]) {
    share = part;
    // Probes and comparisons come every 2 s.
    const until = performance.now() + 3_000;
    for (let i = 0; performance.now() < until; i += 8)
      await Promise.race([
        Promise.all(Array.from({ length: 8 }, (_, j) => anything(i + j))),
        new Promise((resolve) => setTimeout(resolve, 500)),
      ]);
  }
  share = 0;
  expect(replaced).toBeGreaterThan(100);
  const readiness = app!.get(Readiness, { strict: false });
  await eventually(() => expect(readiness.problems()).toEqual([]), { withinMs: 40_000 });
  const url = await socketUrl(app!);
  // A link that is out of step is found by its next probe.
  const client = await eventually(() => TestClient.connect(url, { user: 'witness', session: true }), {
    withinMs: 20_000,
  });
  await client.join('note:new');
  const said = client.event('note.said');
  await app!.get(Rooms).to('note:new').append('by node', 'note.said', { i: 1 });
  expect((await said).data).toEqual({ i: 1 });
  await client.close();
});
