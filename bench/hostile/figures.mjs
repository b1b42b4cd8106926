import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

const KIBIBYTES_PER_MEBIBYTE = 1_024;

/** Memory of a process, MiB. */
export function rssOf(pid) {
  const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(kibibytes) / KIBIBYTES_PER_MEBIBYTE);
}

/** How long the main thread of a process has been on a core, and has waited for one, ms. */
export function coreTimeOf(pid) {
  const [ran, waited] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
  return { ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 };
}

/** The shares of the time since then in which it ran, and in which it waited for a core, percent. */
export function coreShares(before, now, ms) {
  return { ran: ((now.ran - before.ran) / ms) * 100, waited: ((now.waited - before.waited) / ms) * 100 };
}

/** Takes the node's histogram of its turns' CPU time since the last call; see turns.mjs. */
export async function takeTurns(address) {
  const chunks = [];
  for await (const chunk of connect(address)) chunks.push(chunk);
  const { classUs, classes } = JSON.parse(Buffer.concat(chunks));
  return classes.map(([at, count]) => ({ ms: ((Number(at) + 1) * classUs) / 1_000, count }));
}

/** The CPU time of a turn below which this share of the turns lies, ms. */
export function turnOf(turns, share) {
  const sorted = [...turns].sort((a, b) => a.ms - b.ms);
  let left = sorted.reduce((sum, { count }) => sum + count, 0) * share;
  return sorted.find(({ count }) => (left -= count) < 0)?.ms ?? sorted.at(-1)?.ms ?? 0;
}
