import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WssClient } from '@wss/client';
import {
  eventually,
  freePort,
  GatewayNode,
  hermeticEnv,
  ManagedProcess,
  newSeed,
  Random,
  TestClient,
} from '@wss/testing';
import { WebSocket } from 'ws';

const SCRIPT = fileURLToPath(new URL('../../scripts/cluster.mjs', import.meta.url));
const NODES = 3;
/** The front's, one for each node, and that of Redis. */
const PORTS = NODES + 2;
const CLIENTS = 30;
const KILLS = Number(process.env['CHAOS_KILLS'] ?? 3);
const COMMANDS = 25;
const WITHIN_MS = 60_000;

interface NodeFacts {
  readonly pid: number;
  readonly nodeId: string;
  readonly url: string;
}

let port: number;
let script: ManagedProcess;
/** By number, as the script says it. */
const nodes = new Map<number, NodeFacts>();

const output = (): string => script.output.lines.join('\n');
const start = (env: NodeJS.ProcessEnv): Promise<ManagedProcess> =>
  ManagedProcess.start(process.execPath, [SCRIPT, '--nodes', String(NODES)], { env: hermeticEnv(env) });

/** @throws Error while the process has started no other */
function childOf({ pid }: ManagedProcess): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  if (!child) throw new Error('it has no child');
  return Number(child);
}

beforeAll(async () => {
  port = await freePort(PORTS);
  script = await start({ SERVER_PORT: String(port) });
  await script.output.waitFor(/Ctrl-C ends all/, WITHIN_MS);
  for (const [, number, pid, nodeId, url] of output().matchAll(/^ {2}(\d) +(\d+) +(\S+) +(http\S+)$/gm)) {
    nodes.set(Number(number), { pid: Number(pid), nodeId: nodeId!, url: url! });
  }
});
afterAll(() => script?.stop(20_000));

describe('npm run cluster', () => {
  it('ends its start with a summary: the address of all, then each node', async () => {
    const lines = script.output.lines.slice(script.output.lines.findIndex((line) => /ready/.test(line)));
    expect(lines[0]).toBe(`wss: the cluster is ready: http://127.0.0.1:${port}/`);
    expect([...nodes.keys()]).toEqual([1, 2, 3]);
    expect(output()).toContain(`redis://127.0.0.1:${port + NODES + 1}`);
    for (const [number, { nodeId, url }] of nodes) {
      expect(url).toBe(`http://127.0.0.1:${port + number}/`);
      const live = (await (await fetch(new URL('health/live', url))).json()) as object;
      expect(live).toMatchObject({ nodeId });
    }
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(await (await fetch(`http://${host}:${port}/`)).text()).toContain('<title>wss');
    }
  });

  it('names the ports that it needs when one is taken', async () => {
    const other = await start({ SERVER_PORT: String(port - 1) });
    expect(await other.exited).toEqual({ code: 1, signal: null });
    expect(await other.lastWords()).toMatch(
      /port \d+ can't be listened on\.\n {2}Remedy: end the process that listens there, or set SERVER_PORT/,
    );
  });

  it('leaves no Redis behind when it is interrupted while that starts', async () => {
    const other = await start({ SERVER_PORT: String(await freePort(PORTS)) });
    const redis = await eventually(() => childOf(other), { withinMs: WITHIN_MS, everyMs: 1 });
    other.signal('SIGINT');
    expect(await other.exited).toEqual({ code: 0, signal: null });
    expect(() => process.kill(redis, 0)).toThrow('ESRCH');
  });

  it('loses no client and no command, and doubles none, when nodes are killed', async () => {
    const random = new Random(newSeed());
    const room = `counter:${randomUUID()}` as const;
    const witness = GatewayNode.start({ redis: `redis://127.0.0.1:${port + NODES + 1}` });
    const clients = Array.from(
      { length: CLIENTS },
      (_, index) => new WssClient(`ws://127.0.0.1:${port}/?user=u${index}`, { WebSocket }),
    );
    try {
      await Promise.all(clients.map((client) => client.room(room).join()));
      let killing = true;
      const add = async (client: WssClient): Promise<number> => {
        let added = 0;
        for (; killing || added < COMMANDS; added++) {
          await client.room(room).command('counter.add', { by: 1 }, { timeoutMs: WITHIN_MS });
        }
        return added;
      };
      const adding = Promise.all(clients.map(add));
      for (let kill = 0; kill < KILLS; kill++) await killOne(random);
      killing = false;
      const added = (await adding).reduce((sum, each) => sum + each);
      const values = clients.map((client) => client.room(room).command('counter.read', {}));
      expect([`seed ${random.seed}`, ...new Set((await Promise.all(values)).map(valueOf))]).toEqual([
        `seed ${random.seed}`,
        added,
      ]);
      const reader = await TestClient.connect((await witness).url);
      await reader.join(room);
      expect(valueOf(await reader.command('counter.read', {}, { room }))).toBe(added);
      await reader.close();
    } finally {
      for (const client of clients) client.close();
      await (await witness).stop();
    }
  });

  it('leads no client to a node that stops', async () => {
    const { pid, nodeId, url } = nodes.get(1)!;
    process.kill(pid, 'SIGTERM');
    await eventually(async () => expect(await stops(url)).toBe(true));
    for (let i = 0; i < 10; i++) {
      const response = await fetch(`http://127.0.0.1:${port}/health/live`, {
        headers: { connection: 'close' },
      });
      expect(await response.json()).not.toMatchObject({ nodeId });
    }
  });

  it('ends with what it started', async () => {
    expect(await script.stop(20_000)).toEqual({ code: 0, signal: null });
    for (const { pid } of nodes.values()) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('npm run cluster with nodes that can not start', () => {
  it('says so once and ends', async () => {
    const other = await start({ SERVER_PORT: String(await freePort(PORTS)), PRESENCE_GRACE_MS: 'soon' });
    expect((await other.exited).code).toBe(1);
    const words = await other.lastWords();
    expect(words).toContain('PRESENCE_GRACE_MS');
    expect(words.match(/before it was ready/g)).toHaveLength(1);
  });
});

/**
 * A node that stops says so, until nothing listens at its port. Other failures tell nothing: `fetch` may use a kept
 * connection that just ends, and a node whose Redis is slow takes no clients for a moment.
 */
async function stops(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('health/ready', url), { headers: { connection: 'close' } });
    return (await response.text()).includes('the node is shutting down');
  } catch (error) {
    return ((error as Error).cause as { code?: string } | undefined)?.code === 'ECONNREFUSED';
  }
}

const valueOf = (reply: unknown): number => (reply as { value: number }).value;

async function killOne(random: Random): Promise<void> {
  const number = 1 + random.below(NODES);
  const { pid } = nodes.get(number)!;
  process.kill(pid, 'SIGKILL');
  await isBack(number, pid);
}

/** Waits for the line that tells the node's new process, and for that to be another one than before. */
async function isBack(number: number, formerPid: number): Promise<void> {
  await eventually(
    () => {
      const back = new RegExp(`^wss: node ${number} is back: pid (\\d+), node id (\\S+), (\\S+)$`, 'gm');
      const [, pid, nodeId, url] = [...output().matchAll(back)].at(-1) ?? [];
      expect(Number(pid ?? formerPid)).not.toBe(formerPid);
      nodes.set(number, { pid: Number(pid), nodeId: nodeId!, url: url! });
    },
    { withinMs: WITHIN_MS },
  );
}
