import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Rooms } from '@wss/nest';
import { eventually, rawUpgrade, RedisServer, TestClient } from '@wss/testing';
import { SignJWT, UnsecuredJWT } from 'jose';
import { PollModule } from './poll.js';
import { startApp } from './test-app.js';

const SECRET = 'a secret of more than 32 characters';
const seed = Number(process.env.TOKENS_SEED ?? Math.floor(Math.random() * 2 ** 31));
let state = seed || 1;
const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
const now = (): number => Math.floor(Date.now() / 1_000);

const sign = (payload: object, header: object = {}, key = SECRET): Promise<string> =>
  new SignJWT({ exp: now() + 600, ...payload })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(Buffer.from(key));
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

const PARTS = [
  'a',
  ' ',
  'é',
  '本',
  '😀',
  '👩‍👩‍👧',
  ':',
  '{',
  '}',
  '*',
  '\\',
  '"',
  '/',
  '%',
  '\u202e',
  '\u2028',
  '__proto__',
];
function name(): string {
  const points = [...Array.from({ length: 1 + random(100) }, () => pick(PARTS)).join('')];
  return points.slice(0, random(3) === 0 ? 128 : 1 + random(20)).join('');
}

describe.each(['memory', 'redis'])('on %s', (engine) => {
  let app: INestApplication;
  let redis: RedisServer | undefined;
  let url: string;
  let port: number;
  beforeAll(async () => {
    if (engine === 'redis') redis = await RedisServer.start();
    const auth = { jwt: { secret: SECRET } };
    app = await startApp('express', { auth, ...(redis && { redis: redis.url }) }, [PollModule]);
    ({ port } = app.getHttpServer().address() as AddressInfo);
    url = `ws://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await app?.close();
    await redis?.stop();
  });

  it('any text names a user: in tokens, sessions, presence and messages to users', async () => {
    for (let i = 0; i < 25; i++) {
      const user = name();
      const client = await TestClient.connect(url, {
        session: true,
        headers: bearer(await sign({ sub: user })),
      });
      expect([seed, client.hello.user]).toEqual([seed, user]);
      const room = `poll:${i}`;
      await client.join(room);
      const { users } = await client.command<{ users: { user: string }[] }>('$presence', {}, { room });
      expect([seed, users.map((each) => each.user)]).toEqual([seed, [user]]);
      await client.reconnect();
      expect([seed, client.hello.resumed]).toEqual([seed, true]);
      // The node hears of a user's messages a moment after the greeting.
      await eventually(async () => {
        await app.get(Rooms).toUser(user).send('hello', { i });
        expect(client.frames).toContainEqual({ event: 'hello', data: { i } });
      });
      await client.close();
    }
  });

  it('refuses names with control characters, halves of pairs, none and too many', async () => {
    for (const sub of [
      '',
      'a\u0000',
      '\u0085',
      '\ud800',
      'a\udfff',
      'x'.repeat(129),
      '😀'.repeat(129),
      1,
      null,
      {},
    ]) {
      expect([sub, (await rawUpgrade(port, '/', bearer(await sign({ sub })))).status]).toEqual([sub, 401]);
    }
  });
});

describe('tokens of every shape', () => {
  let app: INestApplication;
  let port: number;
  beforeAll(async () => {
    app = await startApp('fastify', { auth: { jwt: { secret: SECRET, issuer: 'us', audience: 'here' } } });
    ({ port } = app.getHttpServer().address() as AddressInfo);
  });
  afterAll(() => app?.close());
  const good = (more: object = {}): Promise<string> => sign({ sub: 'ann', iss: 'us', aud: 'here', ...more });
  const answerTo = async (token: string): Promise<{ status: number; retry: string | undefined }> => {
    const { status, headers, body } = await rawUpgrade(port, '/', bearer(token));
    expect(body).not.toContain(token);
    return { status, retry: headers['retry-after'] };
  };

  /** Headers can't carry all characters. */
  const answerToQuery = async (token: string): Promise<{ status: number }> =>
    rawUpgrade(port, `/?access_token=${encodeURIComponent(token)}`);
  const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

  it('are answered 401, whatever is wrong with them', async () => {
    const client = await TestClient.connect(`ws://127.0.0.1:${port}`, { headers: bearer(await good()) });
    const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const mutate = (token: string): string => {
      const at = random(token.length - 1);
      const other = token[at] === 'A' ? 'B' : 'A';
      return pick([
        // Bits at the end of a part may mean nothing, so the change is before.
        () => token.slice(0, token.length - 10) + (token.at(-10) === 'A' ? 'B' : 'A') + token.slice(-9),
        () => token.slice(0, at),
        () => token.replace('.', '..'),
        () => `${token}.${token}`,
        () => '.'.repeat(1 + random(5_000)),
        () => token.split('.').reverse().join('.'),
        () => `${other}${token}`,
        () =>
          token.slice(0, at) + pick(['é', '\u00ff', '😀', '\u0000', ' ', '\n', '=']) + token.slice(at + 1),
      ])();
    };
    for (let i = 0; i < 150; i++) {
      const token = await good();
      const bad = await pick<() => Promise<string> | string>([
        () => mutate(token),
        () => new UnsecuredJWT({ sub: 'ann', iss: 'us', aud: 'here' }).encode(),
        () =>
          `${b64({ alg: pick(['none', 'HS512', 'RS256', 'hs256', 1, null]) })}.${token.split('.').slice(1).join('.')}`,
        () => `${b64({ alg: 'HS256', kid: "../../etc' OR 1" })}.${token.split('.').slice(1).join('.')}`,
        () => `${b64({ alg: 'HS256', crit: ['x'], x: 1 })}.${token.split('.').slice(1).join('.')}`,
        () => sign({ sub: 'ann', iss: 'us', aud: 'here' }, {}, `${SECRET}!`),
        () => good({ iss: 'them' }),
        () => good({ aud: ['there'] }),
        () => good({ exp: pick<unknown>([now() - 10, 'never', null, -1]) }),
        () => good({ nbf: pick<unknown>([now() + 3_600, 'x']) }),
        () => good({ nbf: now() + 30, exp: now() - 30 }),
        () => good({ iat: 'x' }),
        () => good({ sub: undefined }),
        () => good({ deep: nested(pick([32, 500])) }),
      ])();
      const { status } = await (/^[!-~]*$/.test(bad) ? answerTo(bad) : answerToQuery(bad));
      expect({ seed, i, bad, status }).toMatchObject({ status: 401 });
      const { error } = await client.request('$auth', { token: bad });
      expect({ seed, i, bad, code: error?.code }).toMatchObject({ code: 'unauthenticated' });
    }
    expect(await client.request('$auth', { token: await good({ deep: nested(31) }) })).not.toHaveProperty(
      'error',
    );
    await client.close();
  });

  it('that begin soon are answered 503 with the time to wait, and large ones renew', async () => {
    const { status, retry } = await answerTo(await good({ nbf: now() + 50 }));
    expect(status).toBe(503);
    expect([48, 49, 50, 51]).toContain(Number(retry));
    const large = await good({ pad: 'x'.repeat(10_500) });
    expect(large.length).toBeGreaterThan(14_000);
    const client = await TestClient.connect(`ws://127.0.0.1:${port}`, { headers: bearer(large) });
    expect(await client.request('$auth', { token: large })).not.toHaveProperty('error');
    await client.close();
    expect((await answerTo(await good({ pad: 'x'.repeat(11_600) }))).status).toBe(401);
  });
});
