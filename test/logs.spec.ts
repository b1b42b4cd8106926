import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { freePort, GatewayCluster, GatewayNode, TestClient } from '@wss/testing';

interface Line {
  readonly level: string;
  readonly message: unknown;
  readonly nodeId: string;
  readonly context?: string;
}

const linesOf = (lines: readonly string[]): Line[] => lines.map((line) => JSON.parse(line) as Line);

describe('logs in JSON', () => {
  let cluster: GatewayCluster;
  beforeAll(async () => {
    cluster = await GatewayCluster.start({
      nodes: 1,
      proxied: true,
      env: { LOG_FORMAT: 'json', LOG_LEVEL: 'debug' },
    });
  });
  afterAll(() => cluster?.stop());

  it('are lines that name the node, and never hold what a client sent', async () => {
    const [node, [proxy]] = [cluster.nodes[0]!, cluster.proxies];
    const secret = `secret-${randomUUID()}`;
    const user = `user-${randomUUID()}`;
    const room = 'chat:lobby';
    const client = await TestClient.connect(`${node.url}?access_token=${secret}`, {
      user,
      protocols: ['wss.v1'],
      headers: { 'X-Secret': secret },
    });
    await client.join(room);
    await client.command('chat.send', { text: secret }, { room, n: 1, ack: 0 });
    await client.request('chat.send', { text: [secret] }, { room });
    await client.request(secret, { text: secret });
    client.sendRaw(`{"event":"${secret}`);
    client.sendRaw(Buffer.from(secret));
    await proxy!.setMode('cut');
    await client.request('chat.send', { text: secret }, { room });
    await client.request('$join', {}, { room: `chat:${secret}` });
    await proxy!.setMode('pass');
    client.sendRaw(`{"event":"echo.say","data":{"text":"${secret.repeat(2_000)}"}}`);
    expect((await client.closed).code).toBe(1009);
    expect(await node.stop()).toBe(0);
    const lines = linesOf(node.output);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter(({ nodeId, level }) => nodeId !== node.nodeId || level === undefined)).toEqual([]);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        context: 'RedisLinks',
        message: expect.stringMatching(/is lost/),
      }),
    );
    expect(node.output.join('\n')).not.toContain(secret);
  });

  it('are all that a process writes, whatever libraries write', async () => {
    const seed = Number(process.env.CHATTER_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const chatter = fileURLToPath(new URL('./child/chatter.mjs', import.meta.url));
    const env = { NODE_ENV: 'production', CHATTER_SEED: String(seed), NODE_OPTIONS: `--import=${chatter}` };
    const node = await GatewayNode.start({ env });
    await node.waitForLine(/chatter has written enough/);
    expect(await node.stop()).toBe(0);
    const dying = await GatewayNode.launch({ env: { ...env, CHATTER_END: '1' } });
    expect(await dying.exited).toEqual({ code: 1, signal: null });
    await dying.output.ended;
    for (const output of [node.output, dying.output.lines]) {
      const odd = output.filter((line) => !isLine(line));
      expect({ seed, odd }).toEqual({ seed, odd: [] });
      expect(output.filter((line) => line.includes('chatter')).length).toBeGreaterThan(3);
    }
    expect(linesOf(dying.output.lines).filter(({ level }) => level === 'fatal')).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/that nothing caught: Error: chatter ends/) }),
    ]);
  });

  it.each([
    ['a bad variable', { SERVER_PORT: 'abc' }, /SERVER_PORT must/],
    ['no Redis', {}, /out of reach/],
    ['a bad format of the log itself', { NODE_ENV: 'production', LOG_FORMAT: 'xml' }, /LOG_FORMAT must/],
  ])('tell why a start failed: %s', async (_what, given, reason) => {
    const env = { LOG_FORMAT: 'json', REDIS_SERVER: `redis://127.0.0.1:${await freePort()}`, ...given };
    const node = await GatewayNode.launch({ env });
    expect(await node.exited).toEqual({ code: 1, signal: null });
    await node.output.ended;
    const [last, ...others] = linesOf(node.output.lines).filter(({ level }) => level === 'error');
    expect(others).toEqual([]);
    expect(last!.message).toMatch(reason);
  });
});

/** True for an object in JSON; what a library writes itself in that form passes as it is. */
function isLine(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
}
