import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually } from '../waiting/eventually.js';
import { RedisServer } from '../servers/redis-server.js';
import { TcpProxy } from './tcp-proxy.js';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startProxy(to: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start({ to });
  cleanUps.push(() => proxy.stop());
  return proxy;
}

describe('bytes', () => {
  const accepted: Socket[] = [];
  async function echoServer(): Promise<number> {
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted.push(socket);
      socket.on('error', () => socket.destroy()).pipe(socket);
    });
    cleanUps.push(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }

  it('pass unchanged through a half-closed connection, however many', async () => {
    const proxy = await startProxy(await echoServer());
    const sent = Buffer.from(Uint32Array.from({ length: 4_000_000 }, (_, index) => index).buffer);
    const socket = connect({ port: proxy.port, allowHalfOpen: true }).end(sent);
    expect((await buffer(socket)).equals(sent)).toBe(true);
    await eventually(() => expect(proxy.connections).toBe(0));
  });

  it('arrive late and in order while the latency changes', async () => {
    const proxy = await startProxy(await echoServer());
    const socket = connect({ port: proxy.port, noDelay: true });
    const numbers = Array.from({ length: 200 }, (_, index) => `${index};`);
    for (const [index, text] of numbers.entries()) {
      proxy.latencyMs = [30, 0, 10, 5][index % 4]!;
      await new Promise((resolve) => socket.write(text, resolve));
      await nextTurn();
    }
    const from = performance.now();
    proxy.latencyMs = 40;
    socket.end('end');
    expect((await buffer(socket)).toString()).toBe(`${numbers.join('')}end`);
    expect(performance.now() - from).toBeGreaterThanOrEqual(79);
  });

  it('do not come, nor does a reset, while replies are dropped', async () => {
    const proxy = await startProxy(await echoServer());
    const socket = connect({ port: proxy.port });
    socket.write('x');
    await once(socket, 'data');
    await proxy.setMode('dropReplies');
    accepted.at(-1)!.resetAndDestroy();
    const known = once(socket, 'error');
    const count = accepted.length;
    const other = once(connect({ port: proxy.port }).end(), 'error');
    // The other one is damaged once its end was swallowed.
    await eventually(() => {
      const isEnded = accepted.at(-1)!.writableFinished;
      expect([accepted.length, proxy.connections, isEnded]).toEqual([count + 1, 2, true]);
    });
    for (let turns = 0; turns < 5; turns++) await nextTurn();
    expect(socket.closed).toBe(false);
    await proxy.setMode('pass');
    for (const [error] of [await known, await other]) expect(error).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('between a client and Redis', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  const linkErrors: string[] = [];
  beforeEach(async () => {
    linkErrors.length = 0;
    redis = await RedisServer.start();
    cleanUps.push(() => redis.stop());
    proxy = await startProxy(redis.port);
  });

  async function connected(): Promise<Redis> {
    const client = new Redis(proxy.url, {
      commandTimeout: 20_000,
      disconnectTimeout: 50,
      retryStrategy: () => null,
    });
    client.on('error', (error: Error) => linkErrors.push(error.message));
    cleanUps.push(() => client.disconnect());
    await client.ping();
    return client;
  }
  /** Lets the next commands of a client fail soon: no answer can come. */
  const hasty = (client: Redis): Redis => {
    client.options.commandTimeout = 200;
    return client;
  };
  const ended = (client: Redis) => eventually(() => expect(client.status).toBe('end'));
  const value = (key: string) => redis.cli('GET', key);
  const redisClients = async () => String(await redis.cli('CLIENT', 'LIST')).match(/cmd=incr/g)?.length ?? 0;

  it('cut resets connections and refuses new ones until pass', async () => {
    const client = await connected();
    await proxy.setMode('cut');
    await ended(client);
    expect(linkErrors).toEqual(['read ECONNRESET']);
    const [error] = (await once(connect(proxy.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    await proxy.setMode('pass');
    expect(await (await connected()).incr('n')).toBe(1);
  });

  it('pass waits for the port while somebody else tries if it is free', async () => {
    await proxy.setMode('cut');
    const other = createServer().listen(proxy.port, '127.0.0.1');
    await once(other, 'listening');
    const passing = proxy.setMode('pass');
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    other.close();
    await passing;
    expect(await (await connected()).ping()).toBe('PONG');
  });

  it('cutNow resets the connections of the moment only', async () => {
    const socket: Socket = connect(proxy.port, '127.0.0.1');
    socket.write('PING\r\n');
    await once(socket, 'data');
    proxy.cutNow();
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect(await (await connected()).ping()).toBe('PONG');
  });

  it('mute swallows both directions and keeps the connection open', async () => {
    const client = await connected();
    await proxy.setMode('mute');
    await expect(hasty(client).incr('n')).rejects.toThrow('Command timed out');
    expect([client.status, proxy.connections, await value('n')]).toEqual(['ready', 1, null]);
    await proxy.setMode('pass');
    await ended(client);
    expect(await value('n')).toBeNull();
  });

  it('muteRequests lets replies through, so that a subscriber still hears', async () => {
    const client = await connected();
    const heard = once(client, 'message');
    await client.subscribe('news');
    await proxy.setMode('muteRequests');
    await redis.cli('PUBLISH', 'news', 'hello');
    expect(await heard).toEqual(['news', 'hello']);
    await expect(hasty(client).subscribe('more')).rejects.toThrow('Command timed out');
    expect(await redis.cli('PUBSUB', 'CHANNELS')).toEqual(['news']);
  });

  it('dropReplies lets a command take effect, without a reply', async () => {
    const client = await connected();
    await proxy.setMode('dropReplies');
    await expect(hasty(client).incr('n')).rejects.toThrow('Command timed out');
    await eventually(async () => expect(await value('n')).toBe('1'));
    expect(client.status).toBe('ready');
    await proxy.setMode('pass');
    await ended(client);
  });

  it('keeps undamaged connections when a mode ends', async () => {
    const client = await connected();
    await proxy.setMode('mute');
    await proxy.setMode('pass');
    expect(await client.incr('n')).toBe(1);
  });

  it('resets what was damaged when the mute changes sides', async () => {
    const client = await connected();
    await proxy.setMode('mute');
    await expect(hasty(client).incr('n')).rejects.toThrow('Command timed out');
    await proxy.setMode('dropReplies');
    await ended(client);
  });

  it('deafens the connections of this moment, and no later ones', async () => {
    const deaf = await connected();
    proxy.deafenNow();
    await expect(hasty(deaf).incr('n')).rejects.toThrow('Command timed out');
    const other = await connected();
    expect(await other.incr('n')).toBe(2);
    await proxy.setMode('mute');
    await proxy.setMode('pass');
    expect(deaf.status).toBe('ready');
  });

  it('mute hides the end of either side from the other', async () => {
    const [leaving, staying] = [await connected(), await connected()];
    await Promise.all([leaving.incr('n'), staying.incr('n')]);
    await proxy.setMode('mute');
    leaving.disconnect();
    await ended(leaving);
    expect(await redisClients()).toBe(2);
    await redis.kill();
    expect([staying.status, proxy.connections]).toEqual(['ready', 2]);
    await proxy.setMode('pass');
    await ended(staying);
    await eventually(() => expect(proxy.connections).toBe(0));
  });

  it('leads new connections to a changed target', async () => {
    const other = await RedisServer.start();
    cleanUps.push(() => other.stop());
    const before = await connected();
    proxy.target = other.port;
    await before.set('where', 'first');
    await (await connected()).set('where', 'second');
    expect([await value('where'), await other.cli('GET', 'where')]).toEqual(['first', 'second']);
  });

  it('resets who connects while the target is down, and works when it is back', async () => {
    await redis.kill();
    const socket = connect(proxy.port, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    await redis.restart();
    expect(await (await connected()).ping()).toBe('PONG');
  });
});
