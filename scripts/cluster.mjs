import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Failure, main, say } from './lib/project.mjs';
import { claimBuild, ensureBuilt } from './lib/build.mjs';
import { ensureProgram } from './lib/debian.mjs';
import { onEndRequest } from './lib/ending.mjs';
import { ensureInstalled } from './lib/install.mjs';
import { GatewayNode, nodeEnvironment } from './lib/node.mjs';
import { freePort } from './lib/ports.mjs';
import { ended } from './lib/run.mjs';

const MAX_NODES = 32;
const USAGE = `npm run cluster -- --nodes 3 (1 to ${MAX_NODES})`;

/** Several nodes on one Redis: a local one of their own, unless REDIS_SERVER names another. */
await main(async (args) => {
  const count = nodesOf(args);
  await ensureInstalled();
  if (!process.env.REDIS_SERVER) await ensureProgram('redis-server');
  await ensureBuilt();
  const redis = process.env.REDIS_SERVER ? undefined : await startRedis();
  const folder = claimBuild();
  const first = Number(process.env.SERVER_PORT || 0);
  const nodes = [];
  let stopping = false;
  const stop = () => {
    stopping = true;
    for (const node of nodes) node.signal('SIGTERM');
  };
  onEndRequest(stop);
  try {
    for (let i = 0; i < count && !stopping; i++) {
      const port = first > 0 ? first + i : await freePort();
      const REDIS_SERVER = redis?.url ?? process.env.REDIS_SERVER;
      nodes.push(new GatewayNode(folder, { ...nodeEnvironment(), REDIS_SERVER, SERVER_PORT: String(port) }));
    }
    say(`${count} nodes on ${redis?.url ?? 'REDIS_SERVER'}; Ctrl-C ends them`);
    const codes = await Promise.all(nodes.map((node) => endOf(node, () => stopping)));
    return Math.max(0, ...codes);
  } finally {
    await redis?.stop();
  }
});

function nodesOf(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: { nodes: { type: 'string', default: '3' } } }));
  } catch (error) {
    throw new Failure(error.message, USAGE);
  }
  const count = Number(values.nodes);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_NODES) return count;
  throw new Failure(`"${values.nodes}" is not a number of nodes.`, USAGE);
}

/** One node that ends early leaves the others running, as in a cluster. */
async function endOf(node, isStopping) {
  const code = await node.exited;
  if (isStopping()) return code;
  say(`node process ${node.process.pid} ended with code ${code}; the others go on`);
  return code;
}

async function startRedis() {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'wss-redis-'));
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'];
  const server = spawn('redis-server', [...options.map(String), '--maxmemory-policy', 'noeviction'], {
    stdio: 'ignore',
    // Ctrl-C comes to us alone: the nodes end first.
    detached: true,
  });
  const exited = ended(server);
  const early = await Promise.race([exited, delay(500).then(() => undefined)]);
  if (early !== undefined) throw new Failure(`redis-server ended with code ${early}.`, 'is the port taken?');
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      server.kill('SIGTERM');
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
