import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { CORES } from './cores.mjs';
import { peerVersion } from './installing.mjs';
import { versionOf } from './peers.mjs';

const GIBIBYTE = 2 ** 30;
const PACKAGES = [
  'ws',
  '@nestjs/core',
  '@nestjs/websockets',
  'socket.io',
  '@socket.io/redis-adapter',
  '@socket.io/redis-streams-adapter',
];

/** The machine, the versions and the day that the figures belong to. */
export function machineLines() {
  const bun = peerVersion('@oven/bun-linux-x64') ?? peerVersion('@oven/bun-linux-aarch64') ?? 'none';
  const packages = PACKAGES.map((name) => `${name} ${peerVersion(name) ?? '–'}`);
  const centrifugo = versionOf(process.env.CENTRIFUGO ?? 'centrifugo', 'version') ?? 'none';
  return [
    `${new Date().toISOString().slice(0, 10)}, wss at ${revision()}`,
    `${availableParallelism()} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / GIBIBYTE)} GiB, ${process.platform} ${release()}; ${placesOf(CORES)}`,
    `Node ${process.versions.node}, Redis ${redisVersion()}, Bun ${bun}, Centrifugo: ${centrifugo}; ${packages.join(', ')}`,
  ];
}

function placesOf({ servers, generator, redis }) {
  if (servers === undefined) return 'no process has a core of its own (taskset or a second core is missing)';
  return `servers on core ${servers}, generator on ${generator}, Redis on ${redis}`;
}

function redisVersion() {
  return /v=(\S+)/.exec(versionOf('redis-server', '--version') ?? '')?.[1] ?? 'none';
}

function revision() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return (
      git('rev-parse', '--short', 'HEAD').trim() +
      (git('status', '--porcelain').trim() ? ' with changes' : '')
    );
  } catch {
    return 'an unknown revision';
  }
}
