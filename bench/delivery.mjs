import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { main, say } from '../scripts/lib/project.mjs';
import { ensureBuilt } from '../scripts/lib/build.mjs';
import { ensureProgram } from '../scripts/lib/debian.mjs';
import { Member } from './delivery/member.mjs';
import { SlowLine } from './delivery/slow-line.mjs';

/**
 * Counts from outside the events that members of rooms lose through other members: sessions taken over again and
 * again, a client whose line stalls, and clients that leave while others are idle.
 */
const MEMBERS = 20;
const CARDS = 50;
const SENDERS = 4;
const UNDER_WAY = 8;
const STALLED_ROOMS = 4;
const STALLED_MESSAGES = 900;
/** 3 kB of UTF-8. */
const STALLED_TEXT = 'é'.repeat(1_500);
const BYTES_PER_SECOND = 1_500_000;
const OLD_CLIENTS = 60;
const IDLE_CLIENTS = 10;
const LEAVE_EVERY_MS = 2_500;

await main(async (args) => {
  const options = {
    takeovers: { type: 'string', default: '20' },
    beats: { type: 'string', default: '150' },
  };
  const { values } = parseArgs({ args, options });
  await ensureProgram('redis-server');
  await ensureBuilt();
  const { GatewayCluster } = await import('../dist/libs/testing/src/index.js');
  const cluster = await GatewayCluster.start({ nodes: 1 });
  try {
    const [{ url }] = cluster.nodes;
    await takeOvers(url, Number(values.takeovers));
    await stalledLine(url);
    await comingAndGoing(url, Number(values.beats));
  } finally {
    await cluster.stop();
  }
});

/** Cards move fast while one session goes from connection to connection. */
async function takeOvers(url, seconds) {
  const room = `board:b${Date.now()}`;
  const members = await Promise.all(Array.from({ length: MEMBERS }, (_, i) => Member.connect(url, `m${i}`)));
  for (const member of members) await member.join(room, { state: true });
  const senders = members.slice(0, SENDERS);
  const cards = [];
  for (let i = 0; i < CARDS; i++) {
    cards.push((await senders[0].request('board.add-card', { title: `card ${i}` }, room)).data.card);
  }
  const end = Date.now() + seconds * 1_000;
  let count = 0;
  const moves = senders.flatMap((sender) =>
    Array.from({ length: UNDER_WAY }, async () => {
      for (; Date.now() < end; count++) {
        await sender.request('board.move-card', { card: cards[count % CARDS], to: count % 7 }, room);
      }
    }),
  );
  const taken = await takeOverAgainAndAgain(url, room, end);
  await Promise.all(moves);
  await delay(2_000);
  const expected = Math.max(...members.map((member) => member.last(room)));
  const lost = members.map((member) => expected - member.seen(room));
  const resets = members.reduce((sum, member) => sum + member.resets, 0);
  say(
    `take-over: ${taken} times while ${count} cards moved; each of ${MEMBERS} members lost ${lost.join(', ')}`,
  );
  say(`           of ${expected} events, with ${resets} $reset`);
  for (const member of members) member.end();
}

async function takeOverAgainAndAgain(url, room, end) {
  let session = await Member.connect(url, 'taken');
  let taken = 0;
  while (Date.now() < end) {
    await session.join(room, { state: true });
    await delay(20);
    session = await Member.connect(url, 'taken', { token: session.token });
    taken++;
  }
  session.end();
  return taken;
}

/** A line takes nothing while four rooms are busy, and then takes 1.5 MB/s. */
async function stalledLine(url) {
  const rooms = Array.from({ length: STALLED_ROOMS }, (_, i) => `chat:s${Date.now()}-${i}`);
  const line = await SlowLine.open(url);
  const [slow, sender] = [await Member.connect(line.url, 'slow'), await Member.connect(url, 'fast')];
  for (const room of rooms) for (const member of [slow, sender]) await member.join(room, {});
  line.stall();
  for (let i = 0; i < STALLED_MESSAGES; i++) {
    await Promise.all(rooms.map((room) => sender.request('chat.send', { text: STALLED_TEXT }, room)));
  }
  line.take(BYTES_PER_SECOND);
  const startedAt = Date.now();
  const isDone = () =>
    rooms.every((room) => slow.last(room) >= STALLED_MESSAGES) || slow.closed !== undefined;
  while (!isDone() && Date.now() - startedAt < 60_000) await delay(100);
  const lost = rooms.map((room) => STALLED_MESSAGES - slow.seen(room));
  say(`stalled line: lost ${lost.join(', ')} of ${STALLED_MESSAGES} events in ${STALLED_ROOMS} rooms,`);
  say(
    `           with ${slow.resets} $reset, ${slow.closed === undefined ? 'still open' : `closed with ${slow.closed}`}`,
  );
  for (const member of [slow, sender]) member.end();
  line.close();
}

/** Lets the clients that came first leave, one after the other, and counts the pings of those behind them. */
async function comingAndGoing(url, seconds) {
  const open = (name, options) => Member.connect(url, name, options);
  const old = await Promise.all(Array.from({ length: OLD_CLIENTS }, (_, i) => open(`old${i}`)));
  const idle = await Promise.all(Array.from({ length: IDLE_CLIENTS }, (_, i) => open(`idle${i}`)));
  const late = await open('late', { pongAfterMs: 4_000 });
  const end = Date.now() + seconds * 1_000;
  while (Date.now() < end) {
    await delay(LEAVE_EVERY_MS);
    old.shift()?.end();
  }
  say(`heartbeats: pings in ${seconds} s ${idle.map(({ pings }) => pings.length).join(', ')}`);
  const gaps = idle.flatMap(({ pings }) => pings.slice(1).map((at, i) => (at - pings[i]) / 1_000));
  say(`           ${Math.min(...gaps).toFixed(1)} to ${Math.max(...gaps).toFixed(1)} s apart`);
  say(
    `           one that answers after 4 s: ${late.closed === undefined ? 'still open' : `closed with ${late.closed}`}`,
  );
  for (const member of [...old, ...idle, late]) member.end();
}
