import { mkdirSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, isAlive, self } from './process-identity.mjs';
import { Progress } from './progress.mjs';

const RETRY_MS = 200;
const FREE = 'free';
const KEPT_TICKETS = 16;

/**
 * Runs `action` while no other live process of this checkout runs one under the same name.
 *
 * A lock is a folder of numbered tickets: symbolic links, which appear together with their target, the owner. The
 * highest number holds. Taking is making the next number, so exactly one process takes over from a dead owner.
 */
export async function withLock(name, action) {
  const folder = join('build', '.locks', name);
  mkdirSync(folder, { recursive: true });
  const ticket = await acquire(folder, name);
  try {
    return await action();
  } finally {
    draw(folder, ticket + 1, FREE);
  }
}

async function acquire(folder, name) {
  let waiting;
  for (;;) {
    const { number, owner } = last(folder);
    const isFree = owner === FREE || !isAlive(owner);
    if (isFree || waiting?.owner !== owner) waiting = waiting?.progress.end();
    if (!isFree) waiting ??= { owner, progress: new Progress(waitingFor(owner, name)) };
    else if (take(folder, number + 1)) return number + 1;
    await sleep(RETRY_MS);
  }
}

function waitingFor(owner, name) {
  return `waiting for ${describe(owner)}, which is doing this already (${name})`;
}

/** The number must still be the highest once it is ours: a slow process may make one that was used and swept. */
function take(folder, number) {
  if (!draw(folder, number, self())) return false;
  if (last(folder).number !== number) {
    unlinkSync(join(folder, String(number)));
    return false;
  }
  sweep(folder, number - KEPT_TICKETS);
  return true;
}

function draw(folder, number, owner) {
  try {
    symlinkSync(owner, join(folder, String(number)));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function last(folder) {
  const number = Math.max(0, ...tickets(folder));
  if (number === 0) return { number, owner: FREE };
  return { number, owner: readlinkSync(join(folder, String(number))) };
}

function sweep(folder, below) {
  for (const number of tickets(folder)) if (number < below) unlinkSync(join(folder, String(number)));
}

function tickets(folder) {
  return readdirSync(folder).map(Number).filter(Number.isInteger);
}
