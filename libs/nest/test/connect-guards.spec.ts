import { afterEach, expect, it } from '@jest/globals';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  Injectable,
  Logger,
  Module,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ConnectedSocket, SubscribeMessage } from '@nestjs/websockets';
import { Client, type ConnectingClient, useWss, WssModule, type WssOptions } from '@wss/nest';
import { eventually, rawUpgrade, RedisServer, TestClient } from '@wss/testing';
import { type INestApplication } from '@nestjs/common';
import { connect } from 'node:net';
import { SignJWT } from 'jose';
import { of } from 'rxjs';
import { createApp } from './test-app.js';

const SECRET = 'a secret of more than 32 characters';
const seed = Number(process.env.GUARD_SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed || 1;
const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;

const apps: INestApplication[] = [];
afterEach(async () => {
  Logger.overrideLogger(false);
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

@Injectable()
class Teams {
  asked = 0;
  answer: (client: ConnectingClient, context: ExecutionContext) => unknown = () => true;
}

@Injectable()
class TeamGuard implements CanActivate {
  constructor(
    private readonly teams: Teams,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    this.teams.asked++;
    this.reflector.getAllAndOverride('roles', [context.getHandler(), context.getClass()]);
    return this.teams.answer(context.switchToWs().getClient(), context) as boolean;
  }
}

@Injectable()
class WhoHandlers {
  @SubscribeMessage('who')
  who(@ConnectedSocket() { user, claims }: Client): object {
    return { user, claims };
  }
}

@Module({ providers: [Teams, WhoHandlers], exports: [Teams] })
class TeamsModule {}

interface Node {
  readonly port: number;
  readonly url: string;
  readonly teams: Teams;
}

async function start(options: Partial<WssOptions> = {}): Promise<Node> {
  const node = WssModule.forRootAsync({
    imports: [TeamsModule],
    useFactory: (): WssOptions => ({
      auth: { jwt: { secret: SECRET } },
      connect: [TeamGuard],
      drain: { windowMs: 0 },
      ...options,
    }),
  });
  const app = useWss(await createApp('express', [node, TeamsModule]));
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  return { port, url: `ws://127.0.0.1:${port}`, teams: app.get(Teams, { strict: false }) };
}

const token = (claims: object): Promise<string> =>
  new SignJWT({ sub: 'ann', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(Buffer.from(SECRET));
const bearer = async (claims: object = {}): Promise<Record<string, string>> => ({
  Authorization: `Bearer ${await token(claims)}`,
});
const who = async (client: TestClient): Promise<{ claims: Record<string, unknown> }> =>
  client.command('who', {});

it('gives what guards attach to handlers, on every node, anew at each resume, and keeps it beside a newer token', async () => {
  const redis = await RedisServer.start();
  const shared = { redis: redis.url };
  const nodes = [await start(shared), await start(shared)] as const;
  const client = await TestClient.connect(nodes[0].url, {
    session: true,
    headers: await bearer({ team: 'x', plan: 1 }),
  });
  for (let i = 0; i < 12; i++) {
    const node = nodes[random(2)]!;
    const role = `role ${i}`;
    node.teams.answer = (asked, context): boolean => {
      expect([context.getType(), context.switchToWs().getPattern(), asked.user]).toEqual([
        'ws',
        '$connect',
        'ann',
      ]);
      expect([typeof context.getHandler(), context.getClass(), asked.address]).toEqual([
        'function',
        TeamGuard,
        '127.0.0.1',
      ]);
      expect(asked.request.headers.authorization).toMatch(/^Bearer /);
      asked.claims.role = role;
      if (i % 2) delete asked.claims.team;
      return true;
    };
    await client.reconnect(node.url);
    expect(client.hello.resumed).toBe(true);
    const { claims } = await who(client);
    expect({ seed, i, claims }).toMatchObject({ claims: { sub: 'ann', plan: 1, role } });
    expect('team' in claims).toBe(i % 2 === 0);
    await client.command('$auth', {
      token: await token({ team: 'y', plan: 2, role: 'of the token', more: true }),
    });
    const renewed = (await who(client)).claims;
    expect({ seed, i, renewed }).toMatchObject({ renewed: { plan: 2, role, more: true } });
    expect(renewed.team).toBe(i % 2 ? undefined : 'y');
  }
  await client.close();
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await redis.stop();
});

it('answers each way of a guard to refuse with a complete response, and logs its faults', async () => {
  const { port, teams } = await start();
  const errors: string[] = [];
  const lines: string[] = [];
  const none = (): void => undefined;
  Logger.overrideLogger({
    log: none,
    warn: (line) => lines.push(String(line)),
    error: (line) => errors.push(String(line)),
  });
  const ways: [(client: ConnectingClient) => unknown, number][] = [
    [() => false, 403],
    [() => undefined, 403],
    [() => Promise.resolve(false), 403],
    [() => of(false), 403],
    [() => Promise.reject(new HttpException('pay first', 402)), 402],
    [() => Promise.reject(new HttpException({ deep: true }, 451)), 451],
    [() => Promise.reject(new HttpException('no', 500)), 500],
    [() => Promise.reject(new HttpException('elsewhere', 302)), 503],
    [() => Promise.reject(new Error('a fault')), 503],
    [() => Promise.reject('a text'), 503],
    [(client) => ((client as { user: string }).user = 'bob'), 503],
    [(client) => ((client.claims = null as never), true), 503],
    [(client) => ((client.claims.f = () => 1), true), 503],
  ];
  const headers = await bearer();
  for (let i = 0; i < 60; i++) {
    const [answer, status] = ways[i < ways.length ? i : random(ways.length)]!;
    teams.answer = answer;
    expect([seed, i, (await rawUpgrade(port, '/', headers)).status]).toEqual([seed, i, status]);
  }
  expect(errors.filter((line) => line.includes('an upgrade failed'))).not.toHaveLength(0);
  expect(lines).toContainEqual(expect.stringContaining('403: TeamGuard (the option connect) refused it'));
  expect(teams.asked).toBe(60);
});

it('asks instances in order, stops at the first that refuses, and bounds those that hang', async () => {
  const order: number[] = [];
  const guard = (id: number, answer: unknown): CanActivate => ({
    canActivate: () => (order.push(id), answer) as never,
  });
  const first = await start({
    connect: [guard(1, true), guard(2, of(true)), guard(3, false), guard(4, true)],
  });
  expect((await rawUpgrade(first.port, '/', await bearer())).status).toBe(403);
  expect(order).toEqual([1, 2, 3]);

  const hanging = await start({
    limits: { handshakeMs: 1_000 },
    connect: [guard(5, new Promise(() => undefined))],
  });
  const answer = await rawUpgrade(hanging.port, '/', await bearer());
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  await eventually(() => expect(order).toEqual([1, 2, 3, 5]));
});

it('loses no frame that came while a guard was asked', async () => {
  let ask: (() => void) | undefined;
  let allow: ((isFit: boolean) => void) | undefined;
  const guard = {
    canActivate: () => new Promise<boolean>((resolve) => ((allow = resolve), ask?.())),
  };
  const { port } = await start({ auth: 'none', connect: [guard] });
  for (let i = 0; i < 10; i++) {
    const asked = new Promise<void>((resolve) => (ask = resolve));
    const socket = connect(port, '127.0.0.1');
    const frame = maskedText(JSON.stringify({ event: '$ping', id: i }));
    const cut = random(frame.length);
    socket.write(HANDSHAKE);
    await asked;
    await new Promise((resolve) => socket.write(frame.subarray(0, cut), resolve));
    if (random(2)) await new Promise(setImmediate);
    allow!(true);
    socket.write(frame.subarray(cut));
    let answer = '';
    for await (const part of socket) if ((answer += String(part)).includes(`"id":${i}`)) break;
    expect([seed, answer.slice(0, 12)]).toEqual([seed, 'HTTP/1.1 101']);
  }
});

const HANDSHAKE =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** A text frame of a client, masked with zeros. */
function maskedText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}
