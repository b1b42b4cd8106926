import { setTimeout as delay } from 'node:timers/promises';
import { open, textFrame } from './client.mjs';
import { FanOut } from './fan-out.mjs';
import { Histogram } from './histogram.mjs';
import { mostFiles, rssOf } from './usage.mjs';

const SETTLING_MS = 500;
const IDLE_MS = 2_000;
/** Files of a process beside its clients. */
const OTHER_FILES = 500;
const HOP = { perSecond: 50, ms: 3_000 };
const ROOM_OF = 10;

/** The part of the generator in each workload; each returns figures. */
export const LOADS = { check, W1: requests, W2: oneRoom, W3: twoNodes, W4: manyRooms, W5: idle, W6: counter };

/** Each client keeps `depth` requests under way. */
async function requests({ wire, ports, meter, clients, depth }) {
  const all = await open(wire, clients, { portOf: () => ports[0] });
  const answer = await all[0].ask('echo', { id: 1, text: 'first' });
  if (answer?.ok !== true) throw new Error('a request was not answered');
  const request = textFrame(wire.ask('echo', JSON.stringify({ id: 123_456, text: 'y'.repeat(64) })));
  const batches = Array.from({ length: depth }, (_, i) => Buffer.concat(Array(i + 1).fill(request)));
  let answers = 0;
  for (const client of all) {
    let fresh = 0;
    client.onFrame = () => void (answers++, fresh++);
    client.onRead = () => {
      if (fresh > 0) client.write(batches[fresh - 1]);
      fresh = 0;
    };
    client.write(batches[depth - 1]);
  }
  return meter.measure(() => answers);
}

async function oneRoom({ wire, ports, meter, members, window }) {
  const all = await open(wire, members, { portOf: () => ports[0], roomOf: () => 'big' });
  const [publisher] = await open(wire, 1, { portOf: () => ports[0], first: members });
  const fan = new FanOut(wire);
  const times = new Histogram();
  fan.watch(all, () => times);
  const publish = () => fan.publish(publisher, 'big');
  const measured = await fan.saturate({ meter, members, window, publish, onBegin: () => times.reset() });
  return { ...measured, p50Ms: times.quantileMs(0.5) };
}

/** First the time of a hop between nodes with few members, then as much as goes. */
async function twoNodes({ wire, ports, meter, members, few, window }) {
  const portOf = (count) => (i) => ports[i < count ? 0 : 1];
  const all = await open(wire, members * 2, { portOf: portOf(members), roomOf: () => 'big' });
  const some = { portOf: portOf(few), roomOf: () => 'few', first: members * 2 };
  const small = await open(wire, few * 2, some);
  const [publisher] = await open(wire, 1, { portOf: () => ports[0], first: members * 2 + few * 2 });
  await delay(SETTLING_MS);
  const fan = new FanOut(wire);
  const [near, far] = [new Histogram(), new Histogram()];
  fan.watch(small.slice(0, few), () => near);
  for (const member of small.slice(few)) fan.watch([member], () => far);
  const publishFew = () => fan.publish(publisher, 'few');
  await fan.pace({ perSecond: 200, ms: meter.warmMs / 2, publish: publishFew });
  far.reset();
  await fan.pace({ ...HOP, publish: publishFew });
  const hopMs = far.quantileMs(0.5);
  fan.watch(all, () => near);
  const publish = () => fan.publish(publisher, 'big');
  return { ...(await fan.saturate({ meter, members: members * 2, window, publish })), hopMs };
}

async function manyRooms({ wire, ports, meter, rooms, window }) {
  const members = rooms * ROOM_OF;
  const portOf = (i) => ports[nodeOf(Math.floor(i / ROOM_OF), i)];
  const all = await open(wire, members, { portOf, roomOf: (i) => `r${Math.floor(i / ROOM_OF)}` });
  const publishers = await open(wire, 2, { portOf: (i) => ports[i], first: members });
  await delay(SETTLING_MS);
  const fan = new FanOut(wire);
  const times = new Histogram();
  fan.watch(all, () => times);
  const random = numbers(42);
  let turn = 0;
  const publish = () => fan.publish(publishers[turn++ & 1], `r${random() % rooms}`);
  const onBegin = () => times.reset();
  const measured = await fan.saturate({ meter, members: ROOM_OF, window, publish, onBegin });
  return { ...measured, p50Ms: times.quantileMs(0.5) };
}

/** Half of the rooms have members on both nodes, a quarter on each alone. */
function nodeOf(room, member) {
  const kind = room % 4;
  return kind < 2 ? member % 2 : kind - 2;
}

async function idle({ wire, ports, meter, clients }) {
  const count = Math.min(clients, mostFiles() - OTHER_FILES);
  const portOf = () => ports[0];
  // The first clients cause allocations that are made once.
  const [probe] = await open(wire, 50, { portOf, first: count });
  await probe.ask('collect', {});
  await delay(SETTLING_MS);
  const before = rssOf(meter.pids);
  const all = await open(wire, count, { portOf });
  await delay(IDLE_MS);
  await probe.ask('collect', {});
  await delay(SETTLING_MS);
  const kibibytes = (rssOf(meter.pids) - before) / count;
  const { foreign } = await meter.measure(() => performance.now());
  return { kibibytes, foreign, missing: all.filter(({ hasEnded }) => hasEnded).length };
}

/** Each client keeps `depth` increments under way; what one more of them returns shows if any was lost. */
async function counter({ wire, ports, meter, clients, depth }) {
  const all = await open(wire, clients, { portOf: (i) => ports[i % ports.length] });
  const request = textFrame(wire.ask('incr', '{"key":"counter"}'));
  let [sent, answers, isOn] = [0, 0, true];
  const go = (client) => {
    sent++;
    client.write(request);
  };
  for (const client of all) {
    client.onFrame = () => {
      answers++;
      if (isOn) go(client);
    };
    for (let i = 0; i < depth; i++) go(client);
  }
  const measured = await meter.measure(() => answers);
  isOn = false;
  for (let last = -1; answers < sent && last !== answers; await delay(1_000)) last = answers;
  const { v } = (await all[0].ask('incr', { key: 'counter' })) ?? {};
  return { ...measured, missing: sent + 1 - v };
}

/** Tries everything that the workloads rest on: answers, refusals, events across nodes, counting. */
async function check({ wire, ports }) {
  const [near, far] = await open(wire, 2, { portOf: (i) => ports[i], roomOf: () => 'check' });
  const faults = [];
  const must = (is, what) => is || faults.push(what);
  if (!wire.hasLines) {
    must((await near.ask('echo', { id: 7, text: 'x' }))?.ok === true, 'answers no request');
    const bad = await near.ask('echo', { id: -1, text: 5 }, SETTLING_MS);
    must(bad?.ok !== true, 'accepts a bad request');
    const [one, two] = [await near.ask('incr', { key: 'c' }), await far.ask('incr', { key: 'c' })];
    must(one?.v === 1 && two?.v === 2, 'does not count');
    must((await near.ask('collect', {})) !== undefined, 'collects no garbage');
  }
  const fan = new FanOut(wire);
  const times = new Histogram();
  fan.watch([far], () => times);
  await delay(SETTLING_MS);
  fan.publish(near, 'check');
  await delay(SETTLING_MS * 2);
  must(times.quantileMs(0.5) >= 0, 'carries no event to the other node');
  if (faults.length > 0) throw new Error(faults.join(', '));
  return { works: 1 };
}

/** Numbers that are the same in each run. */
function numbers(seed) {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >>> 8;
}
