import '../scripts/lib/project.mjs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { medianOf } from './shared/quantile.mjs';

/** Memory per idle client: of a bare `ws` server, of ours, of Nest's own; with few handlers and with 100 more. */
const SERVERS = [
  { name: 'raw ws', file: 'raw-ws' },
  { name: 'wss', file: 'gateway' },
  { name: 'wss, 100 more handlers', file: 'gateway', handlers: 100 },
  { name: 'wss, with a session', file: 'gateway', protocol: 'wss.v1' },
  { name: 'stock Nest gateway', file: 'stock-nest' },
  { name: 'stock Nest, 100 more handlers', file: 'stock-nest', handlers: 100 },
];
const OPEN_AT_ONCE = 200;
/** Connections per loopback address: one address has about 28,000 ports. */
const PER_ADDRESS = 10_000;

await main(async (args) => {
  const { values } = parseArgs({
    args,
    options: { clients: { type: 'string', default: '3000' }, runs: { type: 'string', default: '3' } },
  });
  const clients = Number(values.clients);
  await ensureBuilt();
  say(`bytes per idle client, ${clients} clients, median of ${values.runs} runs`);
  const samples = SERVERS.map(() => []);
  for (let run = 0; run < Number(values.runs); run++) {
    for (const [i, server] of SERVERS.entries()) samples[i].push(await measure(server, clients));
  }
  report(samples.map((runs) => ({ used: medianOf(runs, 'used'), rss: medianOf(runs, 'rss') })));
});

async function measure(server, clients) {
  const child = fork(new URL(`memory/${server.file}.mjs`, import.meta.url), {
    execArgv: ['--expose-gc'],
    silent: true,
    env: { PATH: process.env.PATH, AUTH: 'none', HANDLERS: String(server.handlers ?? 0) },
  });
  try {
    const port = await portOf(child);
    // The first clients cause one-time allocations, which must not count as theirs.
    const warm = await open(50, port, server.protocol);
    const before = await memoryOf(child);
    const sockets = await open(clients, port, server.protocol);
    const after = await memoryOf(child);
    for (const socket of [...warm, ...sockets]) socket.terminate();
    return { used: (after.used - before.used) / clients, rss: (after.rss - before.rss) / clients };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function portOf(child) {
  child.stderr.resume();
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /ready: http:\/\/[^/]*:(\d+)\//.exec(line)?.[1];
    if (port) {
      child.stdout.resume();
      return Number(port);
    }
  }
  throw new Error('the server ended before it was ready');
}

async function memoryOf(child) {
  const answer = once(child, 'message');
  child.send('memory');
  return (await answer)[0];
}

async function open(count, port, protocol) {
  const sockets = [];
  while (sockets.length < count) {
    const next = Math.min(OPEN_AT_ONCE, count - sockets.length);
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: next }, (_, i) => openOne(port, protocol, sockets.length + i)),
      )),
    );
  }
  return sockets;
}

async function openOne(port, protocol, index) {
  const localAddress = `127.0.0.${1 + Math.floor(index / PER_ADDRESS)}`;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocol ? [protocol] : [], { localAddress });
  const greeted = protocol ? once(socket, 'message') : undefined;
  await once(socket, 'open');
  await greeted;
  return socket;
}

function report(results) {
  const [raw] = results;
  console.table(
    Object.fromEntries(
      SERVERS.map(({ name }, i) => [
        name,
        {
          'heap + external, KiB': kib(results[i].used),
          'ratio to raw ws': (results[i].used / raw.used).toFixed(2),
          'RSS, KiB': kib(results[i].rss),
        },
      ]),
    ),
  );
}

function kib(bytes) {
  return (bytes / 1024).toFixed(2);
}
