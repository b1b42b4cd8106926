import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import {
  eventually,
  freePort,
  GatewayNode,
  type ManagedProcess,
  RedisServer,
  TcpProxy,
  TestClient,
} from '@wss/testing';

const IN_ORDER = { code: 0, signal: null };

/** Asks a node to end, expects it to do so in order, and returns its output. */
async function output(node: ManagedProcess): Promise<string> {
  node.signal('SIGTERM');
  expect(await node.exited).toEqual(IN_ORDER);
  await node.output.ended;
  return node.output.lines.join('\n');
}

describe('SIGTERM during the start', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start({ to: redis.port });
  });
  afterAll(async () => {
    await proxy?.stop();
    await redis?.stop();
  });

  it('is heard while modules are being loaded', async () => {
    const loader = fileURLToPath(new URL('./child/stuck-loader.mjs', import.meta.url));
    const node = await GatewayNode.launch({ env: { NODE_OPTIONS: `--import=${loader}` } });
    await node.output.waitFor(/^loading/, 20_000);
    expect(await output(node)).not.toContain('ready');
  });

  it('ends a node that waits for Redis', async () => {
    await proxy.setMode('mute');
    const node = await GatewayNode.launch({ redis: proxy.url });
    await eventually(() => expect(proxy.connections).toBeGreaterThan(0), { withinMs: 20_000 });
    expect(await output(node)).toContain('shutting down');
    await proxy.setMode('pass');
  });

  it.each([/CoreModule dependencies/, /Mapped/, /application successfully started/])(
    'closes what was begun: %s',
    async (line) => {
      const node = await GatewayNode.launch({ redis: redis.url, env: { LOG_LEVEL: 'debug' } });
      await node.output.waitFor(line, 20_000);
      expect(await output(node)).not.toContain('ERROR');
      expect(await redis.cli('KEYS', '*nodes*')).toEqual([]);
    },
  );
});

describe('SIGTERM', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let node: GatewayNode;
  beforeEach(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start({ to: redis.port });
  });
  afterEach(async () => {
    await node?.kill();
    await proxy?.stop();
    await redis?.stop();
  });
  const start = async (env: NodeJS.ProcessEnv = {}): Promise<void> => {
    node = await GatewayNode.start({ redis: proxy.url, env });
  };
  const connect = (user = 'ann', protocols = ['wss.v1']): Promise<TestClient> =>
    TestClient.connect(node.url, { user, protocols });

  it('twice closes every client with 1012 at once', async () => {
    await start({ DRAIN_DELAY_MS: '600000', SHUTDOWN_TIMEOUT_MS: '600000' });
    const clients = await Promise.all([connect(), connect()]);
    node.signal('SIGTERM');
    await node.waitForLine(/SIGTERM: shutting down/);
    node.signal('SIGTERM');
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    expect(await node.exited).toEqual(IN_ORDER);
  });

  it('three times ends the process at once', async () => {
    await start({ DRAIN_DELAY_MS: '600000', SHUTDOWN_TIMEOUT_MS: '600000' });
    const client = await connect();
    client.socket.pause();
    for (const line of [/SIGTERM: shutting down/, /SIGTERM again: shutting down/, /SIGTERM again: ending/]) {
      node.signal('SIGTERM');
      await node.waitForLine(line);
    }
    expect(await node.exited).toEqual({ code: 1, signal: null });
    await client.terminate();
  });

  it('answers commands under way, whatever else a client sends, and carries out nothing unanswered', async () => {
    await start({ DRAIN_WINDOW_MS: '0' });
    const room = 'counter:busy';
    const [client, witness] = [await connect(), await connect('bob')];
    await client.join(room);
    await witness.join(room);
    proxy.latencyMs = 20;
    const answers: Promise<number>[] = [];
    const add = (): Promise<number> => {
      const answer = client
        .request('counter.add', { by: 1 }, { room, withinMs: 20_000 })
        .then(({ error }) => (error ? 0 : 1))
        .catch(() => 0);
      answers.push(answer);
      return answer;
    };
    // Another is under way whenever one is answered: the client is never idle by itself.
    const working = (async () => {
      for (let [present, next] = [add(), add()]; await present;) [present, next] = [next, add()];
    })();
    await witness.event('counter.added', 20_000);
    node.signal('SIGTERM');
    expect((await client.closed).code).toBe(1012);
    await working;
    const added = (await Promise.all(answers)).reduce((sum, each) => sum + each);
    expect(await node.exited).toEqual(IN_ORDER);
    proxy.latencyMs = 0;
    await start();
    const reader = await connect();
    await reader.join(room);
    expect(await reader.command('counter.read', {}, { room })).toMatchObject({ value: added });
  });

  it('refuses with a complete response who is being admitted', async () => {
    await start();
    const held = await connect();
    proxy.latencyMs = 300;
    const admitted = connect('bob');
    const outcome = admitted.catch((error: unknown) => error);
    // The upgrade has been read: what came after it on the same loop has been answered.
    await held.command('$ping', {});
    node.signal('SIGTERM');
    expect(await outcome).toMatchObject({ status: 503 });
    expect((await held.closed).code).toBe(1012);
    expect(await node.exited).toEqual(IN_ORDER);
  });

  it.each(['cut', 'mute'] as const)('ends in order when its links to Redis are %s', async (mode) => {
    await start({ DRAIN_WINDOW_MS: '500' });
    const room = 'counter:gone';
    const clients = await Promise.all([connect(), connect('bob'), connect('cid')]);
    await Promise.all(clients.map((client) => client.join(room)));
    await proxy.setMode(mode);
    const answer = clients[0]!.request('counter.add', { by: 1 }, { room, withinMs: 20_000 });
    await clients[0]!.command('$ping', {});
    node.signal('SIGTERM');
    expect((await answer).error).toMatchObject({ retry: true });
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    expect(await node.exited).toEqual(IN_ORDER);
  });

  it('ends in order when Redis dies during the drain', async () => {
    await start({ DRAIN_DELAY_MS: '1000', DRAIN_WINDOW_MS: '500' });
    const clients = await Promise.all([connect(), connect('bob')]);
    node.signal('SIGTERM');
    await node.waitForLine(/shutting down/);
    await redis.kill();
    for (const client of clients) expect((await client.closed).code).toBe(1012);
    expect(await node.exited).toEqual(IN_ORDER);
  });
});

describe('a start that fails', () => {
  /** Output of the node on its way out, without the log of the steps that went well before. */
  async function failure(env: NodeJS.ProcessEnv): Promise<string> {
    return (await outputOf(env)).filter((line) => !line.includes('[Nest]')).join('\n');
  }

  async function outputOf(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
    const node = await GatewayNode.launch({ env });
    expect(await node.exited).toEqual({ code: 1, signal: null });
    await node.output.ended;
    return node.output.lines;
  }

  it.each(['app.example', 'https://app.example/', 'https://app.example, http://', 'https://App.example'])(
    'refuses ALLOWED_ORIGINS that no page can have: %s',
    async (origins) => {
      expect(await failure({ ALLOWED_ORIGINS: origins })).toMatch(
        /^wss: bad configuration:\n {2}ALLOWED_ORIGINS must be 'local', or a list of origins [^\n]* https:\/\/app\.example; commas separate them$/,
      );
    },
  );

  it.each([
    ['SERVER_PORT', {}],
    ['MANAGEMENT_PORT', { MANAGEMENT_TOKEN: 'x'.repeat(40) }],
  ])('names %s when it is taken, once', async (name, env) => {
    const other = await GatewayNode.start();
    const lines = await outputOf({ ...env, [name]: String(other.port), SERVER_HOST: '127.0.0.1' });
    const told = lines.filter((line) => line.includes('EADDRINUSE'));
    expect(told).toEqual([expect.stringContaining(`has the port of ${name}; choose another one`)]);
    await other.stop();
  });

  it('names a secret file that it can not read', async () => {
    const missing = await failure({ AUTH: '', JWT_SECRET_FILE: '/no/such/file' });
    expect(missing).toBe("wss: bad configuration:\n  JWT_SECRET_FILE can't be read: ENOENT, /no/such/file");
    const folder = await failure({ SESSION_SECRET_FILE: '/' });
    expect(folder).toMatch(/^wss: bad configuration:\n {2}SESSION_SECRET_FILE can't be read: EISDIR/);
  });

  it('says that its port is taken, and leaves no lease behind', async () => {
    const redis = await RedisServer.start();
    const other = await GatewayNode.start({ redis: redis.url });
    const message = await failure({
      REDIS_SERVER: redis.url,
      SERVER_PORT: String(other.port),
      SERVER_HOST: '127.0.0.1',
    });
    expect(message).toMatch(/^wss: listen EADDRINUSE.*choose another one[^\n]*$/);
    const [, ...others] = (await redis.cli('ZRANGE', 'wss:nodes', 0, -1)) as string[];
    expect(others).toEqual([]);
    await other.stop();
    await redis.stop();
  });

  it('says that it has no such address, once', async () => {
    const lines = await outputOf({ SERVER_HOST: '192.0.2.1' });
    expect(lines.filter((line) => line.includes('EADDRNOTAVAIL'))).toEqual([
      expect.stringMatching(
        /^wss: listen EADDRNOTAVAIL.*: this machine has no such address; see SERVER_HOST$/,
      ),
    ]);
  });

  it('says that there is no Redis, without a stack', async () => {
    const port = await freePort();
    const message = await failure({ REDIS_SERVER: `redis://127.0.0.1:${port}` });
    expect(message).toMatch(/^wss: Redis at [^\n]* is out of reach after [^\n]*: start Redis[^\n]*$/);
  });
});
