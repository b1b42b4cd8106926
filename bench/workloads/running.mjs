import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CORES, moveToCore, onCore } from './cores.mjs';
import { machineCpu } from '../load/usage.mjs';

const testing = await import('../../dist/libs/testing/src/index.js');
const { freePort } = await import('../../dist/libs/testing/src/network/free-port.js');

const GENERATOR = fileURLToPath(new URL('../load/generator.mjs', import.meta.url));
const STOP_WITHIN_MS = 3_000;
const READY_WITHIN_MS = 30_000;
/** The longest that a run may take beside its warm-up and its window. */
const RUN_WITHIN_MS = 120_000;
/** Work of others, in cores, up to which a run counts as calm. */
export const CALM = 0.2;
const QUIET_CHECK_MS = 500;

/**
 * Runs one workload against one server once: starts Redis where there are two nodes, the nodes and the generator, and
 * ends them.
 * @returns the figures of the run, or why there are none in `failure`
 */
export async function runOnce(server, { workload, nodes, params, warmMs, measureMs, withRedis = nodes > 1 }) {
  const started = [];
  try {
    const redis = withRedis ? await startRedis(started) : undefined;
    const processes = [];
    for (let i = 0; i < nodes; i++) processes.push(await startNode(server, redis?.url, started));
    return await generate({
      workload,
      wire: server.wire,
      ports: processes.map(({ port }) => port),
      nodes: processes.map(({ pid }) => pid),
      redis: redis?.pid,
      warmMs,
      measureMs,
      ...params,
    });
  } catch (error) {
    return { failure: error.message };
  } finally {
    for (const stop of started.reverse()) await stop();
  }
}

/** Waits until nobody else works on this machine, at most so many seconds. */
export async function untilQuiet(seconds) {
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    const before = machineCpu();
    await delay(QUIET_CHECK_MS);
    if (((machineCpu() - before) * 1_000) / QUIET_CHECK_MS < CALM) return;
  }
}

async function startRedis(started) {
  const redis = await testing.RedisServer.start();
  started.push(() => redis.stop());
  moveToCore(CORES.redis, redis.pid);
  return redis;
}

async function startNode({ name, command, env }, redisUrl, started) {
  const port = await freePort();
  const [program, ...args] = onCore(CORES.servers, command());
  const child = await testing.ManagedProcess.start(program, args, {
    env: testing.hermeticEnv({
      NODE_ENV: 'production',
      PORT: String(port),
      ...env,
      ...(redisUrl && { REDIS_SERVER: redisUrl }),
    }),
  });
  started.push(() => child.stop(STOP_WITHIN_MS));
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await accepts(port))) {
    if (child.ended) throw new Error(`${name} did not start: ${(await child.lastWords()).trim()}`);
    if (performance.now() > until) throw new Error(`${name} does not listen`);
    await delay(50);
  }
  return { port, pid: child.pid };
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket.destroy() !== undefined));
    socket.once('error', () => resolve(false));
  });
}

/** The generator ends with its outcome, and with us. */
async function generate(plan) {
  const [program, ...args] = onCore(CORES.generator, [
    process.execPath,
    '--max-semi-space-size=32',
    GENERATOR,
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exit = once(child, 'exit').then(() => ({ failure: 'the generator ended without figures' }));
  const abort = new AbortController();
  const late = delay(RUN_WITHIN_MS + plan.warmMs + plan.measureMs, { failure: 'it took too long' }, abort);
  try {
    child.send(plan);
    const outcome = once(child, 'message').then(([message]) => message);
    return await Promise.race([outcome, exit, late.catch(() => undefined)]);
  } finally {
    abort.abort();
    child.kill('SIGKILL');
    await exit;
  }
}
