import { once } from 'node:events';
import { createServer } from 'node:net';

/** The range of `libs/testing/src/network/free-port.ts`, in shares. */
const LOWEST = 15_000;
const SHARE = 250;
const SHARES = 28;
/** The worker that listens here has the first share, on the next port the second, and so on. Its death frees the claim. */
const FIRST_CLAIM = 14_960;

/**
 * Claims a share of the ports that tests use, which belongs to this worker as long as it lives, of whatever run it is:
 * two workers that choose from all ports sometimes choose the same one, since a port is free between its choice and
 * its server's start, and while a server is down that a test starts again.
 *
 * @returns gives the first of so many ports in a row, each again only when all others had their turn; `undefined`
 *   when all shares are claimed
 */
export async function claimPorts() {
  for (let share = 0; share < SHARES; share++) {
    if (await isClaimed(FIRST_CLAIM + share)) return portsFrom(LOWEST + share * SHARE);
  }
  return () => undefined;
}

async function isClaimed(port) {
  const claim = createServer();
  try {
    await once(claim.listen(port, '127.0.0.1'), 'listening');
    claim.unref();
    return true;
  } catch {
    return false;
  }
}

function portsFrom(lowest) {
  let next = 0;
  return (inARow) => {
    if (next + inARow > SHARE) next = 0;
    const first = lowest + next;
    next += inARow;
    return first;
  };
}
