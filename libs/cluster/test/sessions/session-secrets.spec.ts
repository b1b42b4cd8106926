import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { eventually, RedisServer } from '@wss/testing';
import {
  NODE_SCRIPTS,
  RedisNodeRegistry,
  RedisSessionStore,
  SESSION_SCRIPTS,
  SessionKeeper,
} from '../../src/index.js';

const [K1, K2, K3] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];

/** One node, as far as sessions are concerned. */
interface Node {
  readonly sessions: SessionKeeper;
  readonly registry: RedisNodeRegistry;
}

describe('R33: the secrets of sessions', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let keys: RedisKeys;
  let nodes: Node[];
  beforeAll(async () => {
    server = await RedisServer.start();
    const scripts = [...Object.values(NODE_SCRIPTS), ...Object.values(SESSION_SCRIPTS)];
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
  });
  afterAll(async () => {
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    keys = new RedisKeys(`t${randomUUID().slice(0, 8)}`);
    nodes = [];
  });
  afterEach(async () => {
    for (const node of nodes) await stop(node);
  });

  const start = async (...secret: string[]): Promise<Node> => {
    const registry = new RedisNodeRegistry(links, keys, { nodeId: `n${nodes.length}`, heartbeatMs: 100 });
    const sessions = await SessionKeeper.start(new RedisSessionStore(links, keys), { secret });
    sessions.secrets.watch(registry, keys.namespace);
    await registry.join();
    const node = { sessions, registry };
    nodes.push(node);
    return node;
  };
  const stop = async ({ sessions, registry }: Node): Promise<void> => {
    sessions.close();
    await registry.leave();
  };
  /** Takes one session from node to node. */
  const hop = async (path: readonly Node[]): Promise<boolean[]> => {
    let { token } = await path[0]!.sessions.open('ann');
    const resumed: boolean[] = [];
    for (const { sessions } of path.slice(1)) {
      const opened = await sessions.open('ann', token);
      ({ token } = opened);
      resumed.push(opened.resumed);
    }
    return resumed;
  };
  const problems = (): (string | undefined)[] => nodes.map(({ sessions }) => sessions.secrets.problem());
  /** Resolves when all nodes have compared themselves with all others again. */
  const compared = async (): Promise<void> => {
    await eventually(async () => {
      const alive = await nodes[0]!.registry.alive();
      expect(alive.filter(({ secrets }) => secrets)).toHaveLength(nodes.length);
    });
  };

  it('the first signs, all verify', async () => {
    const [old, both, last] = [await start(K1), await start(K1, K2), await start(K2, K1)];
    expect(await hop([old, both, last, both])).toEqual([true, true, true]);
    const [, token] = [await both.sessions.open('ann'), (await last.sessions.open('ann')).token];
    expect(await old.sessions.open('ann', token)).toMatchObject({ resumed: false });
    const other = await start(K3);
    expect(await hop([both, other])).toEqual([false]);
  });

  it('a token of the release before, which names no key, is verified by all of them', async () => {
    const node = await start(K1, K2);
    for (const secret of [K1, K2, K3]) {
      const claim = Buffer.from(JSON.stringify([randomUUID(), 1, 9e15, 'ann'])).toString('base64url');
      const token = `${claim}.${createHmac('sha256', secret).update(claim).digest('base64url')}`;
      expect(await node.sessions.open('ann', token)).toMatchObject({ resumed: secret !== K3 });
    }
  });

  it('no text that is no token does any harm', async () => {
    const node = await start(K1);
    for (const token of ['', '.', 'x.y', 'bnVsbA.x', 'W10.x', 'e30.x.y', `${'A'.repeat(2_000)}.x`])
      expect(await node.sessions.open('ann', token)).toMatchObject({ resumed: false });
  });

  it('a configured one beats the agreed one, which stays accepted', async () => {
    const agreed = await start();
    const { token } = await agreed.sessions.open('ann');
    const configured = await start(K1);
    expect(await configured.sessions.open('ann', token)).toMatchObject({ resumed: true });
    expect(await hop([configured, agreed])).toEqual([false]);
    expect(await server.cli('GET', keys.secret)).not.toBe(K1);
  });

  it('sessions go on at every hop when Redis was emptied before a third node was started', async () => {
    const [a, b] = [await start(), await start()];
    for (const key of (await server.cli('KEYS', `${keys.namespace}:*`)) as string[])
      await server.cli('DEL', key);
    // Those from before were removed with their records (R7).
    const { token } = await a.sessions.open('ann');
    const c = await start();
    const path = [a, b, c, a, c, b, c];
    await eventually(async () => expect(await hop(path)).toEqual(path.slice(1).map(() => true)), {
      withinMs: 10_000,
    });
    await eventually(async () => {
      for (const { sessions } of [a, b, c])
        expect(await sessions.open('ann', token)).toMatchObject({ resumed: true });
    });
    await eventually(() => expect(problems()).toEqual([undefined, undefined, undefined]));
  });

  it('the younger of two nodes that refuse each other says so, and names the setting, until it is put right', async () => {
    await start(K1, K2);
    await start(K2, K1);
    await compared();
    const wrong = await start(K3);
    const named = expect.stringContaining('SESSION_SECRET');
    await eventually(() => expect(problems()).toEqual([undefined, undefined, named]), { withinMs: 15_000 });
    const third = await start(K3, K1, K2);
    await eventually(() => expect(problems()).toEqual([undefined, undefined, named, named]), {
      withinMs: 15_000,
    });
    nodes = nodes.filter((node) => node !== wrong && node !== third);
    await stop(wrong);
    await stop(third);
    const right = await start(K2, K1);
    await compared();
    await eventually(() => expect(problems()).toEqual([undefined, undefined, undefined]));
    expect(await hop([nodes[0]!, right, nodes[1]!])).toEqual([true, true]);
  });

  it('leases tell digests that say nothing without the namespace, and no secret', async () => {
    await start(K1, K2);
    await compared();
    const secrets = (await nodes[0]!.registry.alive())[0]!.secrets!;
    expect(secrets).toHaveLength(2);
    expect(JSON.stringify(await server.cli('HGETALL', keys.nodeRecords))).not.toContain(K1);
    const other = new RedisKeys(`t${randomUUID().slice(0, 8)}`);
    const registry = new RedisNodeRegistry(links, other, { nodeId: 'other' });
    const sessions = await SessionKeeper.start(new RedisSessionStore(links, other), { secret: K1 });
    sessions.secrets.watch(registry, other.namespace);
    await eventually(() => expect(registry.self.secrets).toHaveLength(1));
    expect(secrets).not.toContain(registry.self.secrets![0]);
    sessions.close();
  });
});
