import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { freePort, GatewayCluster, GatewayNode, rawUpgrade, RedisServer, TestClient } from '@wss/testing';

async function exitOf(env: NodeJS.ProcessEnv): Promise<string> {
  return GatewayNode.start({ env }).then(
    async (node) => {
      await node.stop();
      throw new Error('the node started');
    },
    (error: Error) => error.message,
  );
}

describe('a node', () => {
  let node: GatewayNode;
  beforeAll(async () => {
    node = await GatewayNode.start();
  });
  afterAll(() => node?.stop());

  const garbage: [string, string | Buffer, string][] = [
    ['text that is no JSON', 'garbage', 'bad_frame'],
    ['an empty frame', '', 'bad_frame'],
    ['null', 'null', 'bad_frame'],
    ['a number', '42', 'bad_frame'],
    ['an array', '[]', 'bad_frame'],
    ['no event', '{}', 'bad_frame'],
    ['an event that is not a string', '{"event":7}', 'bad_frame'],
    ['a room that is not a string', '{"event":"echo.say","room":{}}', 'bad_frame'],
    ['binary', Buffer.from('{"event":"echo.say"}'), 'bad_frame'],
    ['an unknown event', '{"event":"no.such"}', 'unknown_event'],
    ['an event named __proto__', '{"event":"__proto__"}', 'unknown_event'],
    ['an event named constructor', '{"event":"constructor"}', 'unknown_event'],
    ['invalid data', '{"event":"echo.say","data":{"text":5}}', 'invalid'],
    ['data that is an array', '{"event":"echo.say","data":["x"]}', 'invalid'],
    ['data that hides its prototype', '{"event":"echo.say","data":{"__proto__":{"text":"x"}}}', 'invalid'],
    [
      'data that hides its constructor',
      '{"event":"echo.say","data":{"constructor":{"text":"x"}}}',
      'invalid',
    ],
    ['no data', '{"event":"echo.say"}', 'invalid'],
    ['a bad room', '{"event":"$join","room":"nope"}', 'invalid'],
    ['an undeclared room type', '{"event":"$join","room":"nope:1"}', 'not_found'],
    ['a join without a room', '{"event":"$join"}', 'bad_frame'],
    ['a room that does not fit', '{"event":"chat.send","room":"board:1","data":{"text":"x"}}', 'invalid'],
    ['a command without its room', '{"event":"chat.send","data":{"text":"x"}}', 'invalid'],
    [
      'a command in a room not joined',
      '{"event":"chat.send","room":"chat:1","data":{"text":"x"}}',
      'forbidden',
    ],
    ['an unknown system event', '{"event":"$nope"}', 'unknown_event'],
  ];

  it.each(garbage)('answers %s with a code and goes on', async (_what, frame, code) => {
    const [client, other] = await Promise.all([TestClient.connect(node.url), TestClient.connect(node.url)]);
    client.sendRaw(frame);
    expect(await client.next()).toMatchObject({ event: 'error', data: { code, retry: false } });
    expect(await client.command('echo.say', { text: 'on' })).toEqual({ text: 'on' });
    expect(await other.drain()).toEqual([]);
    await Promise.all([client.close(), other.close()]);
  });

  it('names the path and the rule of what is invalid, and echoes or logs nothing of it', async () => {
    const secret = `secret-${randomUUID()}`;
    const client = await TestClient.connect(node.url);
    await client.join('chat:secrets');
    const replies = [
      await client.request('chat.send', { text: [secret] }, { room: 'chat:secrets' }),
      await client.request('echo.say', { text: secret.repeat(200) }),
      await client.request(secret, { text: secret }),
    ];
    client.sendRaw(`{"event":"${secret}`);
    replies.push(await client.next());
    expect(replies[0]!.error).toMatchObject({
      code: 'invalid',
      details: expect.arrayContaining([{ path: 'text', message: 'text must be a string' }]),
    });
    expect(JSON.stringify(replies)).not.toContain(secret);
    await client.close();
    expect(node.output.join('\n')).not.toContain(secret);
  });

  it('ends only the connection that breaks the WebSocket protocol', async () => {
    const [huge, broken, other] = await Promise.all([1, 2, 3].map(() => TestClient.connect(node.url)));
    huge!.sendRaw(`{"event":"echo.say","data":{"text":"${'x'.repeat(65_536)}"}}`);
    expect((await huge!.closed).code).toBe(1009);
    // A masked text frame with a lone continuation byte: no UTF-8.
    (broken!.socket as unknown as { _socket: { write(data: Buffer): void } })._socket.write(
      Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x80]),
    );
    expect((await broken!.closed).code).toBe(1007);
    expect(await other!.command('echo.say', { text: 'on' })).toEqual({ text: 'on' });
    await other!.close();
  });

  it.each([
    ['an unknown path', '/nope', {}, 404],
    ['subprotocols of which it knows none', '/', { 'Sec-WebSocket-Protocol': 'mqtt, wss.v9' }, 400],
    ['a user name that is none', '/?user=%00', {}, 400],
  ])('refuses %s with a complete response', async (_what, path, headers, status) => {
    expect(await rawUpgrade(node.port, path, headers)).toMatchObject({ status });
  });

  it('answers a plain client without greeting it, and the page and health over HTTP', async () => {
    const client = await TestClient.connect(node.url);
    expect(await client.drain()).toEqual([]);
    await client.close();
    const page = await fetch(node.httpUrl);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const live = await fetch(new URL('health/live', node.httpUrl));
    expect([live.status, await live.json()]).toEqual([200, { status: 'ok', nodeId: node.nodeId }]);
    const ready = await fetch(new URL('health/ready', node.httpUrl));
    expect([ready.status, await ready.json()]).toEqual([
      200,
      expect.objectContaining({
        status: 'ok',
        error: {},
        details: { node: { status: 'up' }, lease: { status: 'up' } },
      }),
    ]);
  });
});

describe('a start', () => {
  it('ends with a summary whose places answer, and says little else', async () => {
    const node = await GatewayNode.start();
    const [last, ...rows] = [...node.output].reverse();
    expect(last).toBe(`wss node ${node.nodeId} is ready: ${node.httpUrl}`);
    const told = new Map(rows.map((row) => row.trim().split(/ {2,}/) as [string, string]));
    expect(told.size).toBe(rows.length);
    expect(rows.length).toBeLessThan(14);
    expect(Object.fromEntries(told)).toMatchObject({
      node: `${node.nodeId}, process ${node.pid}`,
      engine: 'memory: everything is lost at exit',
      rooms: 'board, chat, counter',
      commands: expect.stringMatching(/^board.add-card, .*echo.say$/),
      clients: expect.stringContaining('AUTH=none'),
      listens: expect.stringContaining('SERVER_HOST=0.0.0.0 opens it'),
    });
    for (const place of ['page', 'contract', 'health', 'metrics'])
      expect([place, (await fetch(told.get(place)!)).status]).toEqual([place, 200]);
    await (await TestClient.connect(told.get('WebSocket')!)).close();
    await node.stop();
  });

  it('tells more, or less, as LOG_LEVEL says', async () => {
    for (const [LOG_LEVEL, least, most] of [
      ['debug', 40, 500],
      ['info', 13, 14],
      ['error', 13, 13],
    ] as const) {
      const node = await GatewayNode.start({ env: { LOG_LEVEL } });
      const { length } = node.output;
      expect([LOG_LEVEL, length >= least && length <= most]).toEqual([LOG_LEVEL, true]);
      await node.stop();
    }
  });
});

describe('where a node listens', () => {
  const isOpen = (port: number, host: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, host, () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  /** An address of this machine that others reach. */
  const outer = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  );

  it.each([
    ['on this machine alone, by both of its addresses, without admission', {}, [true, hasIPv6, false]],
    ['on one address that was given', { SERVER_HOST: '127.0.0.1' }, [true, false, false]],
    ['on all where that is said', { SERVER_HOST: '0.0.0.0' }, [true, false, true]],
    ['on all with admission', { AUTH: '', JWT_SECRET: 'x'.repeat(32) }, [true, false, true]],
  ])('is %s', async (_what, env, [here, here6, there]) => {
    const node = await GatewayNode.start({ env });
    expect(await isOpen(node.port, '127.0.0.1')).toBe(here);
    expect(await isOpen(node.port, '::1')).toBe(here6);
    if (outer !== undefined) expect(await isOpen(node.port, outer)).toBe(there);
    if (here6) {
      const client = await TestClient.connect(`ws://[::1]:${node.port}/`);
      expect(await client.command('echo.say', { text: 'six' })).toEqual({ text: 'six' });
      node.signal('SIGTERM');
      expect((await client.closed).code).toBe(1012);
    }
    expect(await node.stop()).toBe(0);
  });

  it('is said when another process has the port on the second address', async () => {
    if (!hasIPv6) return;
    const other = createServer().listen(0, '::1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await exitOf({ SERVER_PORT: String(port) })).toMatch(/EADDRINUSE.*::1.*SERVER_PORT/);
    other.close();
  });

  it('is the network in the image', () => {
    const image = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8');
    expect(image).toMatch(/^ENV .*SERVER_HOST=0\.0\.0\.0/m);
  });
});

describe('starting', () => {
  it('names every bad variable and exits 1', async () => {
    const message = await exitOf({
      SERVER_PORT: 'x',
      AUTH: 'maybe',
      WSS_NAMESPACE: 'a b',
      REDIS_SERVER: 'http://x',
    });
    for (const name of ['SERVER_PORT', 'AUTH', 'WSS_NAMESPACE', 'REDIS_SERVER'])
      expect(message).toContain(name);
  });

  it('takes an empty variable for unset', async () => {
    const node = await GatewayNode.start({ env: { REDIS_SERVER: '', SERVER_PORT: '' } });
    expect(await node.stop()).toBe(0);
  });

  it('says what to do when Redis is not there, within a bounded time, without its password', async () => {
    const port = await freePort();
    const message = await exitOf({ REDIS_SERVER: `redis://user:pass-word@127.0.0.1:${port}` });
    expect(message).toMatch(/out of reach after \d+ ms \(.*ECONNREFUSED.*\): start Redis/);
    expect(message).not.toContain('pass-word');
  });

  it('refuses a Redis that deletes rooms silently', async () => {
    const redis = await RedisServer.start({
      args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    });
    expect(await exitOf({ REDIS_SERVER: redis.url })).toContain('set noeviction');
    await redis.stop();
  });
});

describe('stopping', () => {
  it('closes clients with 1012 on SIGTERM and exits 0', async () => {
    const node = await GatewayNode.start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => TestClient.connect(node.url)));
    await clients[0]!.join('chat:x');
    expect(await node.stop()).toBe(0);
    for (const client of clients)
      expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
  });
});

describe('a cluster', () => {
  it('goes on when one node is killed', async () => {
    const cluster = await GatewayCluster.start({ nodes: 3 });
    const room = 'counter:survivors';
    const [a, b, c] = (await Promise.all(cluster.nodes.map(({ url }) => TestClient.connect(url)))) as [
      TestClient,
      TestClient,
      TestClient,
    ];
    for (const client of [a, b, c]) await client.join(room);
    await a.command('counter.add', { by: 1 }, { room });
    await cluster.nodes[0]!.kill();
    expect((await a.closed).code).toBe(1006);
    await b.command('counter.add', { by: 1 }, { room });
    expect(await c.command('counter.add', { by: 1 }, { room })).toEqual({ value: 3 });
    for (const client of [b, c]) {
      for (const seq of [1, 2, 3]) expect(await client.next()).toMatchObject({ seq, data: { value: seq } });
    }
    await cluster.stop();
  });
});
