import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { GatewayCluster, type GatewayNode, TestClient } from '@wss/testing';

interface Line {
  readonly level: string;
  readonly message: unknown;
  readonly nodeId: string;
  readonly context?: string;
}

/** All lines but those that are for people and tests. */
function linesOf(node: GatewayNode): Line[] {
  return node.output
    .filter((line) => !/^(wss node|try it:) /.test(line))
    .map((line) => JSON.parse(line) as Line);
}

describe('logs in JSON', () => {
  let cluster: GatewayCluster;
  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 1, proxied: true, env: { LOG_FORMAT: 'json' } });
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
    const lines = linesOf(node);
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
});
