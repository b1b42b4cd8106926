import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { GatewayNode, rawUpgrade, RedisServer, TcpProxy, TemporaryFolder, TestClient } from '@wss/testing';

const SECRET = 'a secret of more than 32 characters';
const HS256 = new TextEncoder().encode(SECRET);

interface Signature {
  readonly alg?: string;
  readonly key?: Uint8Array | KeyObject;
  readonly kid?: string;
}

function sign(payload: JWTPayload, { alg = 'HS256', key = HS256, kid }: Signature = {}): Promise<string> {
  const claims = { iss: 'issuer', aud: 'audience', exp: Math.floor(Date.now() / 1_000) + 600, ...payload };
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key);
}

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

/** The user as whom a node admits the bearer of a token. */
async function userOf(node: GatewayNode, token: string): Promise<unknown> {
  const client = await TestClient.connect(node.url, { protocols: ['wss.v1'], headers: bearer(token) });
  const { data } = await client.event('$hello');
  await client.close();
  return (data as { user: string }).user;
}

async function statusOf(
  node: GatewayNode,
  headers: Record<string, string> = {},
  target = '/',
): Promise<number> {
  return (await rawUpgrade(node.port, target, headers)).status;
}

describe('a node with a secret', () => {
  let node: GatewayNode;
  beforeAll(async () => {
    node = await GatewayNode.start({
      env: {
        AUTH: '',
        JWT_SECRET: SECRET,
        JWT_ISSUER: 'issuer',
        JWT_AUDIENCE: 'audience',
        ALLOWED_ORIGINS: 'https://app.example, https://other.example, capacitor://localhost,',
      },
    });
  });
  afterAll(() => node?.stop());

  it('lets in who brings a token, by header, subprotocol or URL, and never says it back', async () => {
    const token = await sign({ sub: 'ann' });
    expect(await userOf(node, token)).toBe('ann');
    const offered = await TestClient.connect(node.url, { protocols: ['wss.v1', `wss.token.${token}`] });
    expect((await offered.event('$hello')).data).toMatchObject({ user: 'ann' });
    expect(offered.socket.protocol).toBe('wss.v1');
    const plain = await TestClient.connect(`${node.url}?access_token=${token}&user=bob`);
    await plain.join('chat:lobby');
    await plain.command('chat.send', { text: 'hi' }, { room: 'chat:lobby' });
    expect((await plain.event('chat.sent')).data).toMatchObject({ user: 'ann' });
    await Promise.all([offered.close(), plain.close()]);
    expect(node.output.join('\n')).not.toContain(token);
  });

  const refused: [string, () => Promise<string> | string][] = [
    ['that is none', () => 'garbage'],
    ['of somebody else', () => sign({ sub: 'ann' }, { key: new TextEncoder().encode('x'.repeat(40)) })],
    ['that is over', () => sign({ sub: 'ann', exp: Math.floor(Date.now() / 1_000) - 60 })],
    ['of another issuer', () => sign({ sub: 'ann', iss: 'other' })],
    ['for another audience', () => sign({ sub: 'ann', aud: 'other' })],
    ['that names nobody', () => sign({})],
    ['that names somebody impossible', () => sign({ sub: 'a\nb' })],
    ['that nobody signed', () => new UnsecuredJWT({ sub: 'ann', iss: 'issuer', aud: 'audience' }).encode()],
    ['signed in another way', () => sign({ sub: 'ann' }, { alg: 'HS512', key: new Uint8Array(64) })],
  ];
  it.each(refused)('refuses a token %s with 401', async (_what, make) => {
    const token = await make();
    const response = await rawUpgrade(node.port, '/', bearer(token));
    expect(response).toMatchObject({ status: 401, headers: { connection: 'close' } });
    expect(JSON.stringify(response)).not.toContain(token);
  });

  it('refuses with a complete response who brings no token', async () => {
    expect(await rawUpgrade(node.port, '/?user=ann')).toEqual({
      status: 401,
      headers: { connection: 'close', 'content-type': 'text/plain; charset=utf-8', 'content-length': '19' },
      body: 'a token is missing\n',
    });
  });

  it.each([
    ['another path', '/nope', {}, 404],
    ['a target that is no URL', '//', {}, 400],
    ['subprotocols of which it knows none', '/', { 'Sec-WebSocket-Protocol': 'mqtt' }, 400],
    ['no key', '/', { 'Sec-WebSocket-Key': '' }, 400],
    ['another version of WebSocket', '/', { 'Sec-WebSocket-Version': '7' }, 400],
  ])('refuses %s', async (_what, target, headers, status) => {
    const token = await sign({ sub: 'ann' });
    expect(await statusOf(node, { ...bearer(token), ...headers }, target)).toBe(status);
  });

  it.each(['wss.token.', 'wss.token64.', 'wss.resume.'])(
    'refuses %s without wss.v1, in words that help and say no token back',
    async (prefix) => {
      const token = await sign({ sub: 'ann' });
      const offered = `${prefix}${prefix === 'wss.token64.' ? Buffer.from(token).toString('base64url') : token}`;
      const protocol = { 'Sec-WebSocket-Protocol': offered };
      const response = await rawUpgrade(node.port, `/?access_token=${token}`, protocol);
      expect(response.status).toBe(400);
      expect(response.body).toContain('wss.v1 beside it');
      expect(JSON.stringify(response)).not.toContain(offered);
      const both = await TestClient.connect(`${node.url}?access_token=${token}`, {
        protocols: [offered, 'wss.v1'],
      });
      expect(both.socket.protocol).toBe('wss.v1');
      await both.close();
    },
  );

  it('lets in pages of its own host and of the list, and no others', async () => {
    const headers = bearer(await sign({ sub: 'ann' }));
    const sameHost = new URL(node.httpUrl).origin;
    for (const origin of [
      sameHost,
      'https://app.example',
      'https://other.example',
      'capacitor://localhost',
    ]) {
      const client = await TestClient.connect(node.url, { headers: { ...headers, Origin: origin } });
      await client.close();
    }
    for (const origin of ['https://app.example.evil', 'https://evil', 'null', '']) {
      expect([origin, await statusOf(node, { ...headers, Origin: origin })]).toEqual([origin, 403]);
    }
  });

  it('goes on with a newer token of the same user, and with no other', async () => {
    const expiresAt = Math.floor(Date.now() / 1_000) + 300;
    const client = await TestClient.connect(node.url, { headers: bearer(await sign({ sub: 'ann' })) });
    const renewed = await client.command('$auth', { token: await sign({ sub: 'ann', exp: expiresAt }) });
    expect(renewed).toEqual({ expiresAt: expiresAt * 1_000 });
    const other = await client.request('$auth', { token: await sign({ sub: 'bob' }) });
    expect(other.error).toMatchObject({ code: 'unauthenticated' });
    await client.close();
  });

  it('closes who does not renew a token with 4401', async () => {
    // Clocks are allowed to differ by 2 s.
    const token = await sign({ sub: 'ann', exp: Math.floor(Date.now() / 1_000) + 1 });
    const client = await TestClient.connect(node.url, { headers: bearer(token) });
    expect((await client.closed).code).toBe(4401);
  });
});

describe('keys', () => {
  const folder = new TemporaryFolder('keys');
  const nodes: GatewayNode[] = [];
  const servers: Server[] = [];
  afterAll(async () => {
    for (const server of servers) server.close().closeAllConnections();
    await Promise.all(nodes.map((node) => node.stop()));
    folder.remove();
  });
  const start = async (env: NodeJS.ProcessEnv): Promise<GatewayNode> => {
    const node = await GatewayNode.start({ env: { AUTH: '', ...env } });
    nodes.push(node);
    return node;
  };
  const fileOf = (name: string, content: string): string => {
    const path = join(folder.path, name);
    writeFileSync(path, content);
    return path;
  };

  it('come from a file, as container secrets do', async () => {
    const node = await start({ JWT_SECRET_FILE: fileOf('secret', `${SECRET}\n`) });
    expect(await userOf(node, await sign({ sub: 'ann' }))).toBe('ann');
    expect(await statusOf(node)).toBe(401);
  });

  it('may be public: RS256 and ES256, and no secret made of the public key', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const node = await start({ JWT_PUBLIC_KEY: pem });
    expect(await userOf(node, await sign({ sub: 'ann' }, { alg: 'RS256', key: rsa.privateKey }))).toBe('ann');
    const forged = await sign({ sub: 'ann' }, { key: new TextEncoder().encode(pem) });
    expect(await statusOf(node, bearer(forged))).toBe(401);

    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const file = fileOf('public.pem', ec.publicKey.export({ type: 'spki', format: 'pem' }) as string);
    const other = await start({ JWT_PUBLIC_KEY_FILE: file });
    expect(await userOf(other, await sign({ sub: 'bob' }, { alg: 'ES256', key: ec.privateKey }))).toBe('bob');
    expect(
      await statusOf(other, bearer(await sign({ sub: 'ann' }, { alg: 'RS256', key: rsa.privateKey }))),
    ).toBe(401);
  });

  it('may be published; while they can not be fetched nobody is taken for refused', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }];
    let broken = true;
    const server = createServer((_request, response) => {
      response.writeHead(broken ? 500 : 200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ keys }));
    });
    servers.push(server);
    const node = await start({ JWT_JWKS_URL: `http://127.0.0.1:${await portOf(server)}/keys` });
    const token = await sign({ sub: 'ann' }, { alg: 'ES256', key: privateKey, kid: 'k1' });
    expect(await rawUpgrade(node.port, '/', bearer(token))).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
    });
    broken = false;
    expect(await userOf(node, token)).toBe('ann');
    const unknown = await sign({ sub: 'ann' }, { alg: 'ES256', key: privateKey, kid: 'k2' });
    expect(await statusOf(node, bearer(unknown))).toBe(401);
  });
});

describe('a node without its Redis', () => {
  it('refuses sessions with 503 until it is back, and lets plain clients in', async () => {
    const redis = await RedisServer.start();
    const proxy = await TcpProxy.start({ to: redis.port });
    const node = await GatewayNode.start({ redis: proxy.url });
    await proxy.setMode('cut');
    const session = { 'Sec-WebSocket-Protocol': 'wss.v1' };
    expect(await rawUpgrade(node.port, '/', session)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    });
    const plain = await TestClient.connect(node.url);
    expect(await plain.command('echo.say', { text: 'on' })).toEqual({ text: 'on' });
    await plain.close();
    await node.stop();
    await proxy.stop();
    await redis.stop();
  });
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a node that has no time', () => {
  it('keeps those who connect at once until it has', async () => {
    const node = await GatewayNode.start();
    const limit = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
    await node.pause();
    const sockets = Array.from({ length: Math.min(2_000, limit) }, () => connect(node.port, '127.0.0.1'));
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    } finally {
      for (const socket of sockets) socket.destroy();
      node.resume();
      await node.stop();
    }
  });
});

describe('what strangers see', () => {
  const statuses = async (env: NodeJS.ProcessEnv): Promise<number[]> => {
    const node = await GatewayNode.start({ env });
    const paths = ['', 'page.js', 'page.css', 'contract', 'asyncapi.json', 'health/live'];
    const answers = await Promise.all(paths.map((path) => fetch(new URL(path, node.httpUrl))));
    await node.stop();
    return answers.map(({ status }) => status);
  };
  const jwt = { AUTH: 'jwt', JWT_SECRET: 'a secret of more than 32 characters' };

  it.each([
    [{ AUTH: 'none' }, [200, 200, 200, 200, 200, 200]],
    [jwt, [404, 404, 404, 404, 404, 200]],
    [{ ...jwt, DEMO: '1' }, [200, 200, 200, 404, 404, 200]],
    [{ ...jwt, CONTRACT: 'public' }, [404, 404, 404, 200, 200, 200]],
    [{ ...jwt, DEMO: '0', CONTRACT: 'private' }, [404, 404, 404, 404, 404, 200]],
  ])('with %j', async (env, expected) => {
    expect(await statuses(env)).toEqual(expected);
  });

  it('with a value that says neither: the node does not start', async () => {
    await expect(GatewayNode.start({ env: { ...jwt, DEMO: 'yes', CONTRACT: 'yes' } })).rejects.toThrow(
      /DEMO must be 1 or 0\n {2}CONTRACT must be public or private/,
    );
  });
});
