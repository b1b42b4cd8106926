import { rmSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Loaded into the node that is measured, by `--import`. A timer looks once a millisecond, or as soon as the turn that holds
 * it up is over, at the CPU time of the node. The time between two looks is the work of one long turn or of a millisecond
 * of short ones, whoever else has the cores. A client of the socket `HOSTILE_TURNS` gets the histogram since the last one,
 * as JSON.
 */
const LOOK_MS = 1;
/** Classes of the histogram, µs. */
const CLASS_US = 100;

const address = process.env.HOSTILE_TURNS;

function usedUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

let classes = [];
let before = usedUs();

function look() {
  const now = usedUs();
  const at = Math.floor((now - before) / CLASS_US);
  classes[at] = (classes[at] ?? 0) + 1;
  before = now;
}

setInterval(look, LOOK_MS).unref();

const server = createServer((socket) => {
  socket.on('error', () => undefined);
  // Everything sparse becomes a pair: the index of the class, and its count.
  socket.end(JSON.stringify({ classUs: CLASS_US, classes: Object.entries(classes) }));
  classes = [];
});
rmSync(address, { force: true });
server.listen(address).unref();
