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
 * Finds a TCP port of 127.0.0.1 that the kernel lets us listen on. It is free again when this returns, so the caller
 * must be ready to lose it and to ask again.
 *
 * @throws Error when 100 ports in a row were taken
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
