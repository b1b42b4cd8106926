import { once } from 'node:events';
import { createServer } from 'node:net';
import { Failure } from './project.mjs';

/** Where a front listens unless SERVER_PORT says otherwise, so that its address is the same at every start. */
const FIRST = 3_000;
/** From one block of ports to the next, where some of the first are taken. */
const STEP = 100;
const BLOCKS = 20;
const HIGHEST = 65_535;

/**
 * Finds so many free ports in a row: from SERVER_PORT if it is set, else from 3000, 3100, 3200 and so on.
 * @returns the first of them
 * @throws Failure when SERVER_PORT is no port, or one of the ports is taken
 */
export async function portBlock(count) {
  const given = portOf('SERVER_PORT');
  if (given > 0) return ensureFree(given, count);
  for (let block = 0; block < BLOCKS; block++) {
    const first = FIRST + block * STEP;
    if ((await takenOf(first, count)) === undefined) return first;
  }
  throw new Failure(`there are no ${count} free ports in a row.`, 'set SERVER_PORT to the first of some.');
}

/**
 * Reads a port from the environment; 0 if it is not set.
 * @throws Failure when it is not a port
 */
export function portOf(name) {
  const text = process.env[name] || '0';
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= HIGHEST) return port;
  throw new Failure(
    `${name}="${text}" is not a port.`,
    `give a number from 1 to ${HIGHEST}, or leave it unset.`,
  );
}

async function ensureFree(first, count) {
  const last = first + count - 1;
  const range = count === 1 ? `port ${first} is` : `ports ${first} to ${last} are`;
  const remedy = `end the process that listens there, or set SERVER_PORT to another one; ${range} needed.`;
  const taken = last > HIGHEST ? HIGHEST + 1 : await takenOf(first, count);
  if (taken !== undefined) throw new Failure(`port ${taken} can't be listened on.`, remedy);
  return first;
}

async function takenOf(first, count) {
  for (let port = first; port < first + count; port++) if (!(await isFree(port))) return port;
  return undefined;
}

/** Tries all addresses of the machine, since the port may be taken on one of them. */
async function isFree(port) {
  const server = createServer();
  try {
    await once(server.listen(port), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
