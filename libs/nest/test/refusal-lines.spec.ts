import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type INestApplication, Logger, UnauthorizedException } from '@nestjs/common';
import { Admission, type WssOptions } from '@wss/nest';
import { rawUpgrade } from '@wss/testing';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { startApp } from './test-app.js';

const SECRET = 'a secret of more than 32 characters';
const seed = Number(process.env.REFUSAL_SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed || 1;
const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

let warnings: string[];
let app: INestApplication | undefined;
beforeEach(() => {
  warnings = [];
});
afterEach(async () => {
  await app?.close();
  app = undefined;
  Logger.overrideLogger(false);
});

const start = async (options: WssOptions): Promise<number> => {
  app = await startApp('fastify', options);
  const none = (): void => undefined;
  const warn = (line: unknown): void => void warnings.push(String(line));
  Logger.overrideLogger({ log: none, error: none, warn });
  return (app.getHttpServer() as { address(): { port: number } }).address().port;
};
const refusals = (): string[] => warnings.filter((line) => line.startsWith('an upgrade was refused with '));

class Mine extends Admission {
  admit(request: { headers: Record<string, unknown> }): never {
    throw new UnauthorizedException(`no entry with ${String(request.headers['x-secret'])}`);
  }
}

it('tells each kind of refusal once, with the check that failed and a remedy, and nothing secret', async () => {
  const mark = `secret-${randomUUID()}`;
  const port = await start({ auth: { jwt: { secret: SECRET, audience: 'us' } }, path: '/live' });
  const token = (aud: string, key = SECRET, exp = '1h'): Promise<string> =>
    new SignJWT({ sub: mark, aud })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(exp)
      .sign(Buffer.from(key));
  const bearer = async (made: Promise<string>): Promise<Record<string, string>> => ({
    Authorization: `Bearer ${await made}`,
  });
  const kinds: readonly (readonly [RegExp, () => Promise<unknown>])[] = [
    [
      /403: the origin https:\/\/evil\.example is not allowed; .*ALLOWED_ORIGINS/,
      () => rawUpgrade(port, '/live', { Origin: 'https://evil.example' }),
    ],
    [/404: no WebSocket is at the path .* \/live /, () => rawUpgrade(port, `/${mark}`)],
    [/401: it has no token/, () => rawUpgrade(port, `/live?x=${mark}`)],
    [
      /401: its token failed the check of the audience/,
      async () => rawUpgrade(port, '/live', await bearer(token('them'))),
    ],
    [
      /401: .*check of the signature/,
      async () => rawUpgrade(port, '/live', await bearer(token('them', `${SECRET}!`))),
    ],
    [/401: .*expired/, async () => rawUpgrade(port, '/live', await bearer(token('us', SECRET, '-1h')))],
    [/401: .*its form/, async () => rawUpgrade(port, '/live', await bearer(Promise.resolve(mark)))],
    [/400: .*Sec-WebSocket-Key/, () => rawUpgrade(port, '/live', { 'Sec-WebSocket-Key': mark })],
    [
      /400: none of the subprotocols|400: .*subprotocol/,
      () => rawUpgrade(port, '/live', { 'Sec-WebSocket-Protocol': mark }),
    ],
  ];
  for (let i = 0; i < 60; i++) await pick(kinds)[1]();
  for (const [line, refuse] of kinds) {
    await refuse();
    expect([seed, line, refusals().filter((told) => line.test(told)).length]).toEqual([seed, line, 1]);
  }
  expect(refusals()).toHaveLength(kinds.length);
  expect(warnings.join('\n')).not.toContain(mark);
  expect(warnings.join('\n')).not.toContain('eyJ');
});

it.each([
  ['the text of an application', { auth: { use: Mine } } as WssOptions, {}],
  ['an origin that no browser sends', { auth: 'none' } as WssOptions, { Origin: 'https://a.example/MARK' }],
  [
    'an origin that is too long',
    { auth: 'none' } as WssOptions,
    { Origin: `https://MARK${'a'.repeat(100)}.example` },
  ],
])('never tells %s', async (_what, options, headers) => {
  const mark = `s${randomUUID()}`;
  const port = await start(options);
  const given = Object.entries(headers as Record<string, string>).map(([name, text]) => [
    name,
    text.replace('MARK', mark),
  ]);
  await rawUpgrade(port, '/', { 'X-Secret': mark, ...(Object.fromEntries(given) as Record<string, string>) });
  expect(refusals()).toHaveLength(1);
  expect(refusals()[0]).not.toContain(mark);
});

it('tells refusals of an application once, whatever it says to each client', async () => {
  const port = await start({ auth: { use: Mine } });
  for (let i = 0; i < 20; i++) await rawUpgrade(port, '/', { 'X-Secret': `s${i}` });
  expect(refusals()).toEqual([expect.stringContaining('401: Mine (the option auth) refused it')]);
});

const NAMES = ['localhost', 'app.localhost', '127.0.0.1', '127.9.8.7', '[::1]'];
const FOREIGN = ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'mylocalhost'];

it('lets any page of this machine connect in development, and no name that DNS can rebind', async () => {
  const port = await start({ auth: 'none' });
  for (let i = 0; i < 100; i++) {
    const isOurs = random(2) === 0;
    const page = `${pick(isOurs ? NAMES : FOREIGN)}:${1 + random(65_534)}`;
    const Origin = `${pick(['http', 'https'])}://${page}`;
    // A rebound page names its own host, which leads here.
    const Host = pick([page, `127.0.0.1:${port}`, `localhost:${port}`]);
    const status = await statusOf(port, { Origin, Host });
    expect({ seed, Origin, Host, status }).toEqual({ seed, Origin, Host, status: isOurs ? 101 : 403 });
  }
  expect(refusals()).toHaveLength(1);
});

/** 101 for a WebSocket, else the status of the refusal. */
function statusOf(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers });
    socket.once('open', () => (socket.terminate(), resolve(101)));
    socket.once(
      'unexpected-response',
      (request, { statusCode = 0 }) => (request.destroy(), resolve(statusCode)),
    );
    socket.on('error', () => undefined);
  });
}
