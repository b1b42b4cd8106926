import { isIPv6 } from 'node:net';
import type { NodeFacts } from '@wss/nest';
import type { Config } from '../config.js';

/** Most names that a line for people lists. */
const MOST_NAMES = 12;

/** Parts of a summary that the configuration does not tell. */
export interface NodePlaces {
  /** Addresses at which the node listens, and their port. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Where metrics are shown, if they are. */
  readonly metrics: string | undefined;
  /** True if `/` shows the demo page. */
  readonly showsPage: boolean;
  /** True if `/contract` shows the contract. */
  readonly showsContract: boolean;
}

/** A node's account of itself at the end of its start: for people, and for programs. */
export interface NodeSummary {
  /** Lines `name  value`, to be seen at a glance. */
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The URL under which this machine reaches the node. */
export function urlOf({ addresses: [first], port }: NodePlaces): string {
  const host = first === undefined || isEverywhere(first) ? '127.0.0.1' : first;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`;
}

/** Sums up a node. Nothing in it is secret. */
export function summaryOf(facts: NodeFacts, config: Config, places: NodePlaces): NodeSummary {
  const url = urlOf(places);
  const at = (path: string): string => new URL(path, url).href;
  const webSocket = at(facts.path).replace('http:', 'ws:');
  const page = places.showsPage && { page: url };
  const others = {
    ...(places.showsContract && { contract: at('/contract') }),
    health: at('/health/ready'),
    ...(places.metrics !== undefined && { metrics: places.metrics }),
  };
  const { roomTypes, commands } = facts;
  const engine = config.ENGINE_FILE === undefined ? facts.engine : KEPT;
  const { AUTH: auth } = config;
  const rows = {
    node: `${facts.nodeId}, process ${process.pid}`,
    engine,
    rooms: namesOf(roomTypes),
    commands: namesOf(commands),
    clients: CLIENTS[auth],
    listens: listeningOf(config, places),
    ...page,
    WebSocket: webSocket,
    ...others,
    ...(auth === 'none' && { 'try it': `npx wscat -c '${webSocket}?user=ann'` }),
  };
  const { addresses } = places;
  return {
    text: tableOf(rows),
    fields: { url, engine, auth, addresses, roomTypes, commands, ...page, webSocket, ...others },
  };
}

const KEPT = 'memory: kept from a stop to the next start (ENGINE_FILE), lost in a crash';

const CLIENTS = {
  none: 'everybody may connect, under any name (AUTH=none); for development',
  jwt: 'need a signed token (AUTH=jwt)',
};

function listeningOf({ SERVER_HOST, AUTH }: Config, { addresses, port }: NodePlaces): string {
  const where = `${addresses.join(' and ')}, port ${port}`;
  if (SERVER_HOST !== undefined || AUTH !== 'none') return where;
  return `${where}, for this machine only; SERVER_HOST=0.0.0.0 opens it to the network`;
}

function isEverywhere(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function namesOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function tableOf(rows: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(rows).map(({ length }) => length));
  return Object.entries(rows)
    .map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
    .join('\n');
}
