import { setTimeout as delay } from 'node:timers/promises';
import { open } from './client.mjs';
import { FanOut } from './fan-out.mjs';
import { fineCpuOf, rssOf } from './usage.mjs';

const SETTLING_MS = 500;
const JOINS_AT_ONCE = 100;

/**
 * Rooms with members on all nodes, a publisher on each node, and `window` messages under way. A client is in several
 * rooms where there are more members than clients; member `i` of a room is on node `i` modulo their number.
 */
export async function spread({ wire, ports, meter, rooms, members, clients, window }) {
  const nodes = ports.length;
  const all = await open(wire, clients, { portOf: (i) => ports[i % nodes] });
  const joins = Array.from({ length: rooms * members }, (_, i) => i);
  for (let from = 0; from < joins.length; from += JOINS_AT_ONCE) {
    await Promise.all(
      byClient(joins.slice(from, from + JOINS_AT_ONCE), clients).map(async ([client, places]) => {
        for (const place of places) await join(all[client], `r${Math.floor(place / members)}`);
      }),
    );
  }
  const publishers = await open(wire, nodes, { portOf: (i) => ports[i], first: clients });
  await delay(SETTLING_MS);
  const fan = new FanOut(wire);
  fan.watch(all, () => undefined);
  let turn = 0;
  const publish = () => {
    fan.publish(publishers[turn % nodes], `r${(turn * 7_919) % rooms}`);
    turn++;
  };
  const measured = await fan.saturate({ meter, members, window, publish });
  // A room's members are on as many nodes as there are, or on one each.
  return { ...measured, reached: Math.min(nodes, members), members };
}

/** Clients that do nothing, on nodes that do what they always do. */
export async function still({ wire, ports, meter, clients, redis }) {
  const portOf = (i) => ports[i % ports.length];
  const [probe] = await open(wire, 50, { portOf, first: clients });
  await probe.ask('collect', {});
  await delay(SETTLING_MS);
  const before = rssOf(meter.pids);
  const opening = fineCpuOf(meter.pids);
  await open(wire, clients, { portOf });
  const handshakeUs = clients === 0 ? 0 : ((fineCpuOf(meter.pids) - opening) / clients) * 1e6;
  await delay(meter.warmMs);
  const used = () => [fineCpuOf(meter.pids), fineCpuOf([redis]), performance.now() / 1_000];
  const from = used();
  await delay(meter.measureMs);
  const [nodesCpu, redisCpu, seconds] = used().map((value, i) => value - from[i]);
  await probe.ask('collect', {});
  await delay(SETTLING_MS);
  return {
    handshakeUs,
    kibibytes: clients === 0 ? 0 : (rssOf(meter.pids) - before) / clients,
    nodeCores: nodesCpu / seconds / ports.length,
    redisCores: redisCpu / seconds,
  };
}

/** The places of each client, in their order: a client joins one room after another. */
function byClient(places, clients) {
  const groups = new Map();
  for (const place of places) {
    const client = place % clients;
    groups.set(client, [...(groups.get(client) ?? []), place]);
  }
  return [...groups];
}

async function join(client, room) {
  const data = await client.ask('join', { room });
  if (!data || data.error) throw new Error(`a join was not answered well: ${JSON.stringify(data)}`);
}
