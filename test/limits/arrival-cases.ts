import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { rawUpgrade, type TestClient, UpgradeRefused } from '@wss/testing';
import { exportJWK, SignJWT } from 'jose';
import type { LimitCase, LimitCases } from './limit-case.js';
import { ADDRESS, Scene } from './scene.js';

type Forwarded = (index: number) => string;

/** Connects so often; returns those that came, and the statuses of the others. */
async function come(
  scene: Scene,
  times: number,
  { user = (index) => `u${index}`, address = () => ADDRESS }: { user?: Forwarded; address?: Forwarded },
): Promise<{ came: TestClient[]; codes: number[] }> {
  const came: TestClient[] = [];
  const codes: number[] = [];
  for (let index = 0; index < times; index++) {
    const headers = { 'X-Forwarded-For': address(index) };
    try {
      came.push(await scene.connect(user(index), { headers }));
    } catch (error) {
      if (!(error instanceof UpgradeRefused)) throw error;
      requireWait(error.headers);
      codes.push(error.status);
    }
  }
  return { came, codes };
}

function requireWait(headers: Readonly<Record<string, unknown>>): void {
  if (!(Number(headers['retry-after']) > 0)) throw new Error(`no Retry-After: ${JSON.stringify(headers)}`);
}

/** @param most how many of those that come are let in */
function connections(
  options: LimitCase['options'],
  most: number,
  who: Parameters<typeof come>[2],
): Pick<LimitCase, 'options' | 'meet'> {
  return {
    options,
    async meet(scene) {
      const { came, codes } = await come(scene, most + 3, who);
      if (came.length !== most) throw new Error(`${came.length} came`);
      return { codes, stays: came };
    },
  };
}

/** Upgrades that are refused by themselves count like others. */
function handshakes(limits: object, address: Forwarded, wanted: number): Pick<LimitCase, 'options' | 'meet'> {
  return {
    options: { limits },
    async meet(scene) {
      const client = await scene.connect('ann');
      const codes: number[] = [];
      for (let index = 0; codes.length < 3; index++) {
        const headers = { 'X-Forwarded-For': address(index), 'Sec-WebSocket-Key': 'x' };
        const { status, headers: given } = await rawUpgrade(scene.port, '/', headers);
        if (status === 400) continue;
        requireWait(given);
        codes.push(status);
      }
      if (codes.some((status) => status !== wanted)) throw new Error(codes.join());
      return { codes, stays: [client] };
    },
  };
}

/** @param from local addresses, each with so many connections @param most of them that may stay */
function halfOpen(
  way: string,
  { from, each, most }: { from: string[]; each: number; most: number },
): LimitCase {
  return {
    ...{ way, code: '503', options: { limits: { halfOpen: 8 } } },
    async meet(scene) {
      const sockets = from.flatMap((localAddress) =>
        Array.from({ length: each }, () => connect({ port: scene.port, host: '127.0.0.1', localAddress })),
      );
      const ends: string[] = [];
      for (const socket of sockets)
        void text(socket)
          .then((end) => ends.push(end))
          .catch(() => undefined);
      await scene.until(() => ends.length === sockets.length - most);
      for (const socket of sockets) socket.destroy();
      return { codes: ends.map((end) => Number(/^HTTP\/1\.1 (\d+) [^]*\r\nRetry-After: \d/.exec(end)![1])) };
    },
  };
}

const ask = (scene: Scene): ReturnType<typeof rawUpgrade> =>
  rawUpgrade(scene.port, '/?user=ann', { 'X-Forwarded-For': ADDRESS });

const head: LimitCase = {
  ...{ way: 'the head', code: '408', metric: 'wss_upgrade_refusals_total{check="half-open"}' },
  options: { limits: { handshakeMs: 1_000 } },
  async meet(scene) {
    const socket = connect(scene.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    const end = await text(socket);
    return { codes: [Number(/^HTTP\/1\.1 (\d+)/.exec(end)![1])] };
  },
};

/** A guard that decides on nobody but the bystander. */
const undecided = {
  canActivate: (context: { switchToWs(): { getClient(): { user: string } } }): Promise<boolean> | boolean =>
    context.switchToWs().getClient().user === 'bystander' || new Promise(() => undefined),
};

const deadline: LimitCase = {
  ...{ way: 'a guard', code: '503', metric: 'wss_upgrade_refusals_total{check="deadline"}' },
  options: { limits: { handshakeMs: 1_000 }, connect: [undecided] },
  async meet(scene) {
    const { status, headers } = await ask(scene);
    requireWait(headers);
    return { codes: [status] };
  },
};

const SECRET = 'a secret of at least 32 characters';
const KEY = new TextEncoder().encode(SECRET);
const tokenOf = (user: string, pad: unknown = ''): Promise<string> =>
  new SignJWT({ sub: user, pad })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(KEY);

/** A token of that many bytes, or up to two less. */
async function paddedToken(bytes: number): Promise<string> {
  const bare = (await tokenOf('ann')).length;
  let pad = Math.floor(((bytes - bare) * 3) / 4);
  let token = await tokenOf('ann', 'x'.repeat(pad));
  while (token.length > bytes) token = await tokenOf('ann', 'x'.repeat(--pad));
  return token;
}

const bearer = (token: string): Readonly<Record<string, string>> => ({ Authorization: `Bearer ${token}` });
const signed: Pick<LimitCase, 'open'> = {
  open: async () => Scene.open({ auth: { jwt: { secret: SECRET } } }, bearer(await tokenOf('bystander'))),
};

/** A token of a key that the next fetch may have, later than a handshake lasts. */
function unknownKey(): LimitCase {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let server: Server;
  const tokenBy = (kid: string): Promise<string> =>
    new SignJWT({ sub: kid })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setExpirationTime('1h')
      .sign(privateKey);
  return {
    ...{ way: 'keys', code: '503', metric: 'wss_upgrade_refusals_total{check="keys"}' },
    async open() {
      const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }];
      server = createServer((_request, response) => response.end(JSON.stringify({ keys })));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const options = { auth: { jwt: { jwksUrl } }, limits: { handshakeMs: 1_000 } };
      return Scene.open(options, bearer(await tokenBy('k1')));
    },
    async meet(scene) {
      const headers = { ...bearer(await tokenBy('k2')), 'X-Forwarded-For': ADDRESS };
      const { status, headers: given } = await rawUpgrade(scene.port, '/', headers);
      requireWait(given);
      server.close();
      return { codes: [status] };
    },
  };
}

const token: LimitCase = {
  ...{ ...signed, way: 'at the upgrade', code: '401', metric: 'wss_upgrade_refusals_total{check="form"}' },
  async meet(scene) {
    const client = await scene.connect('ann', { headers: bearer(await paddedToken(15_360)) });
    const headers = bearer(`${await paddedToken(15_360)}xxx`);
    const { status } = await rawUpgrade(scene.port, '/', { ...headers, 'X-Forwarded-For': ADDRESS });
    return { codes: [status], stays: [client] };
  },
};

const renewed: LimitCase = {
  ...{
    ...signed,
    way: '$auth',
    code: 'invalid',
    metric: 'wss_commands_total{event="$auth",outcome="invalid"}',
  },
  async meet(scene) {
    const fits = await paddedToken(15_360);
    const client = await scene.connect('ann', { headers: bearer(await tokenOf('ann')) });
    await client.command('$auth', { token: fits });
    const { error } = await client.request('$auth', { token: `${fits}xxx` });
    return { codes: [error!.code], stays: [client] };
  },
};

/** A token whose claims nest so deep, itself the first level. */
const nestedToken = (levels: number): Promise<string> =>
  tokenOf('ann', JSON.parse('['.repeat(levels - 1) + ']'.repeat(levels - 1)));

const nested: LimitCase = {
  ...{ ...signed, way: 'at the upgrade', code: '401', metric: 'wss_upgrade_refusals_total{check="claims"}' },
  async meet(scene) {
    const client = await scene.connect('ann', { headers: bearer(await nestedToken(32)) });
    const headers = { ...bearer(await nestedToken(33)), 'X-Forwarded-For': ADDRESS };
    return { codes: [(await rawUpgrade(scene.port, '/', headers)).status], stays: [client] };
  },
};

const nestedRenewal: LimitCase = {
  ...{
    ...signed,
    way: '$auth',
    code: 'unauthenticated',
    metric: 'wss_commands_total{event="$auth",outcome="unauthenticated"}',
  },
  async meet(scene) {
    const client = await scene.connect('ann', { headers: bearer(await tokenOf('ann')) });
    await client.command('$auth', { token: await nestedToken(32) });
    const { error } = await client.request('$auth', { token: await nestedToken(33) });
    return { codes: [error!.code], stays: [client] };
  },
};

const longHead: LimitCase = {
  ...{ code: '431', metric: null },
  async meet(scene) {
    const headers = { 'X-Forwarded-For': ADDRESS, Cookie: 'c'.repeat(16_384) };
    const socket = connect(scene.port, '127.0.0.1');
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`);
    await turn();
    const end = await text(socket);
    return { codes: [Number(/^HTTP\/1\.1 (\d+)/.exec(end)![1])] };
  },
};

const pipelined: LimitCase = {
  async meet(scene) {
    const socket = connect(scene.port, '127.0.0.1').on('error', () => undefined);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.resume().write('GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20_000));
    await ended;
    return { codes: [], times: { from: 1, to: 1 } };
  },
};

const others: Forwarded = (index) => `203.0.113.${index + 1}`;

const sessions: LimitCase = {
  options: { limits: { sessionsPerUser: 2 } },
  async meet(scene) {
    for (let i = 0; i < 5; i++) await (await scene.connect('ann', { session: true })).terminate();
    return { codes: [], times: { from: 3, to: 3 } };
  },
};

export const ARRIVAL_CASES: LimitCases = {
  'sessions of a user without': [sessions],
  'connections of a user': [
    { code: '429', ...connections({ limits: { connectionsPerUser: 3 } }, 3, { user: () => 'ann' }) },
  ],
  'connections of an address': [
    { code: '429', ...connections({ limits: { connectionsPerAddress: 3 } }, 3, {}) },
  ],
  'connections of a node |': [
    { code: '503', ...connections({ limits: { connectionsPerNode: 4 } }, 3, { address: others }) },
  ],
  'upgrades of an address': [{ code: '429', ...handshakes({ handshakesPerAddress: 1 }, () => ADDRESS, 429) }],
  'upgrades of a node': [
    { code: '503', ...handshakes({ handshakesPerSecond: 1, handshakesPerAddress: false }, others, 503) },
  ],
  'connections of a node without': [
    halfOpen('of an address', { from: ['127.0.0.1'], each: 6, most: 2 }),
    halfOpen('of a node', {
      from: ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6'],
      each: 2,
      most: 8,
    }),
  ],
  'a handshake': [head, deadline, unknownKey()],
  'an access token': [token, renewed],
  'levels of objects and lists in the claims': [nested, nestedRenewal],
  'the head of a request': [longHead],
  'requests of an HTTP connection': [pipelined],
};
