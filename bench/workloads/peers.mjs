import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transpile } from '../shared/transpile.mjs';
import { isInPath } from '../../scripts/lib/debian.mjs';

const PEERS = fileURLToPath(new URL('../peers/', import.meta.url));
const OURS = fileURLToPath(new URL('wss.ts', import.meta.url));
const FAN_OUT = ['W2', 'W3', 'W4'];

/**
 * The servers that are compared; the first is the reference. `command` makes the command line of one, or throws why
 * there is none; `only` names the workloads that tell something about it.
 */
export const SERVERS = [
  { name: 'raw ws', wire: 'json', command: () => node(join(PEERS, 'raw-ws.mjs')) },
  { name: 'Bun', wire: 'json', command: () => [bun(), join(PEERS, 'bun.mjs')] },
  { name: 'stock Nest', wire: 'json', command: () => node(nestServer('nest-stock.ts')) },
  {
    name: 'stock Nest, 100 handlers',
    wire: 'json',
    only: ['W5'],
    env: { HANDLERS: '100' },
    command: () => node(nestServer('nest-stock.ts')),
  },
  { name: 'Nest socket.io', wire: 'socketio', command: () => node(nestServer('nest-socketio.ts')) },
  { name: 'socket.io', wire: 'socketio', command: () => node(join(PEERS, 'socketio.mjs')) },
  {
    name: 'socket.io streams',
    wire: 'socketio',
    only: ['W3', 'W4', 'check'],
    env: { ADAPTER: 'streams' },
    command: () => node(join(PEERS, 'socketio.mjs')),
  },
  { name: 'Centrifugo', wire: 'centrifugo', only: [...FAN_OUT, 'W5'], command: centrifugo },
  {
    name: 'Centrifugo, history',
    wire: 'centrifugo',
    only: FAN_OUT,
    env: { HISTORY: '1' },
    command: centrifugo,
  },
  { name: 'wss', wire: 'wss', command: ours },
  { name: 'wss volatile', wire: 'wss volatile', only: [...FAN_OUT, 'check'], command: ours },
];

function ours() {
  return node(transpile(OURS));
}

function node(file) {
  return [process.execPath, '--expose-gc', file];
}

function nestServer(file) {
  return transpile(join(PEERS, file), join(PEERS, 'bench-messages.ts'));
}

function bun() {
  const file = join(PEERS, `node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun`);
  const arm = join(PEERS, `node_modules/@oven/bun-${process.platform}-aarch64/bin/bun`);
  const found = [file, arm].find((path) => existsSync(path) && versionOf(path, '--version'));
  if (!found) throw new Error('npm has no Bun for this machine, or it does not run here');
  return found;
}

/** Npm does not have its program. */
function centrifugo() {
  const program = process.env.CENTRIFUGO ?? 'centrifugo';
  if (!process.env.CENTRIFUGO && !isInPath(program)) {
    throw new Error('its program is not in PATH; install Centrifugo 6, or name it in CENTRIFUGO');
  }
  return [process.execPath, join(PEERS, 'centrifugo.mjs'), program];
}

/** The first line that a program says of itself; undefined if it does not run. */
export function versionOf(program, ...args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', timeout: 10_000 }).trim().split('\n')[0];
  } catch {
    return undefined;
  }
}
