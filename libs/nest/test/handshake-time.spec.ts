import { afterAll, afterEach, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import {
  eventually,
  newSeed,
  Random,
  rawUpgrade,
  RedisServer,
  TcpProxy,
  TestClient,
  UpgradeRefused,
} from '@wss/testing';
import { exportJWK, SignJWT } from 'jose';
import { startApp } from './test-app.js';

const random = new Random(newSeed());
const limits = { handshakeMs: 1_000 };
let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
/** The status of an upgrade with a session. */
async function statusOf(port: number, user: string): Promise<string> {
  try {
    const client = await TestClient.connect(`ws://127.0.0.1:${port}/?user=${user}`, { session: true });
    await client.close();
    return 'open';
  } catch (error) {
    if (!(error instanceof UpgradeRefused)) throw error;
    return String(error.status);
  }
}

const SESSION = { 'Sec-WebSocket-Protocol': 'wss.v1' };

it('bounds all of a handshake, the questions to Redis included', async () => {
  const redis = await RedisServer.start();
  const proxy = await TcpProxy.start({ to: redis.port });
  try {
    app = await startApp('express', { auth: 'none', redis: proxy.url, limits });
    const port = portOf(app.getHttpServer());
    expect(await statusOf(port, 'ann')).toBe('open');
    // Each answer comes in time for its command, but not all of them in time for the client.
    proxy.latencyMs = 280;
    const late = await Promise.all(
      Array.from({ length: 1 + random.below(20) }, (_, i) => rawUpgrade(port, `/?user=u${i}`, SESSION)),
    );
    for (const { status } of late) expect(status).toBe(503);
    // On a busy machine one answer of Redis may be late as well.
    expect(late.map(({ body }) => body)).toContain('the node took too long to decide; try again\n');
    proxy.latencyMs = 0;
    await eventually(async () => expect(await statusOf(port, 'ann')).toBe('open'));
  } finally {
    await app?.close();
    app = undefined;
    await proxy.stop();
    await redis.stop();
  }
});

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let published: object[] = [];
const kept: ServerResponse[] = [];
let isSilent = true;
const server = createServer((_request, response) => {
  if (isSilent) kept.push(response);
  else response.end(JSON.stringify({ keys: published }));
});
afterAll(() => server.close().closeAllConnections());

it('tells a client whose handshake is too short for the next fetch of keys when to come again', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const jwksUrl = `http://127.0.0.1:${portOf(server)}/`;
  app = await startApp('fastify', { auth: { jwt: { jwksUrl } }, limits });
  const port = portOf(app.getHttpServer());
  const signed = new SignJWT({ sub: 'ann' }).setProtectedHeader({ alg: 'ES256', kid: 'k1' });
  const headers = { Authorization: `Bearer ${await signed.setExpirationTime('1h').sign(privateKey)}` };
  const refusal = {
    status: 503,
    headers: { 'retry-after': '5' },
    body: "tokens can't be verified now\n",
  };
  // A server that does not answer, a fetch that may not begin yet, a set that lacks the key.
  expect(await rawUpgrade(port, '/', headers)).toMatchObject(refusal);
  const crowd = await Promise.all(Array.from({ length: 50 }, () => rawUpgrade(port, '/', headers)));
  for (const each of crowd) expect(each).toMatchObject(refusal);
  published = [{ ...(await exportJWK(publicKey)), kid: 'k0', alg: 'ES256' }];
  isSilent = false;
  await eventually(async () => expect((await rawUpgrade(port, '/', headers)).status).toBe(401), {
    withinMs: 30_000,
    everyMs: 200,
  });
  expect(await rawUpgrade(port, '/', headers)).toMatchObject(refusal);
  published = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }];
  await eventually(async () => (await TestClient.connect(`ws://127.0.0.1:${port}/`, { headers })).close(), {
    withinMs: 30_000,
    everyMs: 200,
  });
});
