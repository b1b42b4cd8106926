import { afterAll, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type INestApplication, Logger } from '@nestjs/common';
import { rawUpgrade, TestClient } from '@wss/testing';
import { exportJWK, SignJWT } from 'jose';
import { startApp } from './test-app.js';

const answers = {
  keys: (response: ServerResponse) => response.end(JSON.stringify({ keys })),
  error: (response: ServerResponse) => response.writeHead(500).end('{}'),
  redirect: (response: ServerResponse) => response.writeHead(302, { Location: '/' }).end(),
  garbage: (response: ServerResponse) => response.end('<html>'),
  none: (response: ServerResponse) => response.end('{"keys":[]}'),
  null: (response: ServerResponse) => response.end('null'),
  huge: (response: ServerResponse) => response.end(' '.repeat(2_000_000)),
  cut: (response: ServerResponse) => response.destroy(),
};
type Answer = keyof typeof answers;

let keys: object[] = [];
let answer: Answer = 'error';
const fetches: number[] = [];
const server = createServer((_request, response) => {
  fetches.push(performance.now());
  answers[answer](response);
});
const errors: string[] = [];
let app: INestApplication | undefined;
afterAll(async () => {
  await app?.close();
  Logger.overrideLogger(false);
  server.close().closeAllConnections();
});

const pairs = new Map<string, ReturnType<typeof generateKeyPairSync>>();
async function publish(...names: string[]): Promise<void> {
  const published = names.map(async (kid) => {
    const pair = pairs.get(kid) ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
    pairs.set(kid, pair as never);
    return { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256' };
  });
  keys = await Promise.all(published);
}

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
async function bearer(kid: string | undefined, signer = kid): Promise<Record<string, string>> {
  const token = new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'ES256', ...(kid !== undefined && { kid }) })
    .setExpirationTime('1h');
  const key = pairs.get(signer ?? '')?.privateKey ?? stranger.privateKey;
  return { Authorization: `Bearer ${await token.sign(key)}` };
}

it('fetches published keys once in 5 s, and says 401 only of a token that newer keys do not mend', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  app = await startApp('fastify', { auth: { jwt: { jwksUrl } } });
  const none = (): void => undefined;
  Logger.overrideLogger({ log: none, warn: none, error: (line) => errors.push(String(line)) });
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}`;
  const statusOf = async (headers: Record<string, string>): Promise<number> =>
    (await rawUpgrade(port, '/', headers)).status;
  const enters = async (headers: Record<string, string>): Promise<void> => {
    await (await TestClient.connect(url, { headers, ws: { handshakeTimeout: 12_000 } })).close();
  };

  // Without keys: one fetch and one line, however many come.
  await publish('k1');
  const first = await bearer('k1');
  const crowd = await Promise.all(Array.from({ length: 130 }, () => rawUpgrade(port, '/', first)));
  expect(new Set(crowd.map(({ status, headers }) => `${status} ${headers['retry-after']}`))).toEqual(
    new Set(['503 5']),
  );
  // Those that came when it had failed waited for the next.
  expect(fetches.length).toBeLessThanOrEqual(2);
  expect(errors).toEqual([
    expect.stringContaining("the keys of tokens can't be fetched (the key server answered 500)"),
  ]);

  answer = 'keys';
  await enters(first);
  await publish('k1', 'k2');
  const [, unknown, unnamed, named] = await Promise.all([
    enters(await bearer('k2')),
    statusOf(await bearer('k9')),
    statusOf(await bearer(undefined)),
    statusOf(await bearer('k1', 'k9')),
    enters(await bearer(undefined, 'k2')),
  ]);
  expect([unknown, unnamed, named]).toEqual([401, 401, 401]);

  // The good keys stay whatever the server answers now.
  for (const each of ['none', 'garbage', 'null', 'huge', 'redirect', 'cut'] as const) {
    answer = each;
    const before = fetches.length;
    expect([each, await statusOf(await bearer('k9'))]).toEqual([each, 503]);
    expect(fetches.length).toBe(before + 1);
    await enters(await bearer('k2'));
  }
  const gaps = fetches.slice(1).map((at, i) => at - fetches[i]!);
  // The second one of two may reach the server sooner than the first one did.
  expect(Math.min(...gaps)).toBeGreaterThan(4_500);
  expect(errors.length).toBeLessThanOrEqual(3);
  expect(errors.join()).not.toContain('html');
}, 90_000);
