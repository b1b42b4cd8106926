import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports below the ranges that kernels hand out by themselves (Linux from 32,768, macOS from 49,152). A port of
 * those ranges may become the source port of any outgoing connection while its server is down, even of the one
 * that tries to reach that server. Redis Cluster's bus ports (10,000 higher) stay below as well.
 */
const LOWEST = 15_000;
const HIGHEST = 22_000;
const ATTEMPTS = 100;

/**
 * Our Jest environment sets it: the next of the ports that this worker alone hands out, so that no other spec takes a
 * port whose server is about to start, or is down for a moment. Elsewhere there is none, and the port is a random one.
 */
const nextOfOurs = (globalThis as { [key: symbol]: ((inARow: number) => number | undefined) | undefined })[
  Symbol.for('wss.testing.ports')
];

/**
 * Finds a TCP port of 127.0.0.1 that the kernel lets us listen on. It is free again when this returns, so the caller
 * must be ready to lose it to another program and to ask again.
 *
 * @param inARow so many ports are free from the returned one on; default 1
 * @throws Error when 100 ports in a row were taken
 */
export async function freePort(inARow = 1): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = nextOfOurs?.(inARow) ?? randomInt(LOWEST, HIGHEST - inARow + 1);
    if (await areFree(first, inARow)) return first;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`);
}

async function areFree(first: number, count: number): Promise<boolean> {
  for (let port = first; port < first + count; port++) if (!(await canListen(port))) return false;
  return true;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
