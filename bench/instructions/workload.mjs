import { hold, release } from './held-timers.mjs';
import { spawnSync } from 'node:child_process';
import { open } from '../load/client.mjs';
import { WIRES } from '../load/wires.mjs';

/**
 * A server and its clients in one process, which valgrind counts the instructions of. Each work is done some times
 * uncounted, then some times while valgrind counts, which writes a file for each figure.
 */
const [server, port] = process.argv.slice(2);
process.env.PORT = port;

/** Our exit code when valgrind can't be spoken to. */
const CANNOT_COUNT = 77;
const MEMBERS = 20;
const WARM = 100;
/** How often each work is done for a figure, and how many figures there are of it. */
const TIMES = { request: 80, commit: 60, fanOut: 30 };
const FIGURES = 5;

await import(server);
const wire = WIRES.wss;
const clients = await open(wire, MEMBERS, { portOf: () => port, roomOf: () => 'instructions' });
const [client] = clients;
let missing = 0;
let arrived = () => undefined;
for (const each of clients) each.onFrame = () => --missing === 0 && arrived();

const works = {
  request: async () => expectOk(await client.ask('echo', { id: 1, text: 'y'.repeat(64) })),
  commit: async () => expectOk(await client.ask('incr', {})),
  fanOut: () =>
    new Promise((resolve) => {
      [missing, arrived] = [MEMBERS, resolve];
      const data = { room: 'instructions', t: 1, n: 1, p: 'x'.repeat(80) };
      client.send(wire.tell('pub', JSON.stringify(data)));
    }),
};

for (const [name, work] of Object.entries(works)) {
  for (let i = 0; i < WARM; i++) await work();
  globalThis.gc();
  hold();
  valgrind('instrumentation', 'on');
  for (let figure = 0; figure < FIGURES; figure++) {
    for (let i = 0; i < TIMES[name]; i++) await work();
    valgrind('dump', `${name} ${TIMES[name]}`);
  }
  valgrind('instrumentation', 'off');
  release();
}
process.exit(0);

function expectOk(data) {
  if (!data || data.error) throw new Error(`a command was not answered well: ${JSON.stringify(data)}`);
}

function valgrind(...command) {
  const args = [`--vgdb-prefix=${process.env.VGDB}`, `--pid=${process.pid}`, ...command];
  const { status } = spawnSync('vgdb', args, { stdio: 'ignore' });
  if (status !== 0) process.exit(CANNOT_COUNT);
}
