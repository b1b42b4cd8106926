import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '@wss/testing';
import type { PresenceDelta } from '../../src/rooms/room-message.js';
import type { PresenceUpdate } from '../../src/presence/presence-store.js';
import { fold, memoryPresence, type PresenceEngine, redisPresence } from './presence-engines.js';

/** With what a script might stumble over (R34). */
const USERS = [
  'ann',
  'bob',
  'é',
  '😀',
  'a|b',
  '(a',
  '[',
  '-',
  '+inf',
  '"\\/',
  'a\nb',
  '\x01\x02',
  '\x7f',
  ' ',
  '%1',
  '__proto__',
];
const OWNERS = ['a~0', 'b~0', 'c~0', 'c~1'];

/** Repeatable pseudo-random numbers (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Step = PresenceUpdate | { readonly sweep: string };

/** Graces are nothing or so long that they never end here, so that no clock has a say. */
function steps(room: string, seed: number, count: number): Step[] {
  const below = random(seed);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  return Array.from({ length: count }, () => {
    const owner = pick(OWNERS);
    if (below(25) === 0) return { sweep: owner };
    const changes = Array.from({ length: below(4) }, () => {
      const client = `${owner}.${below(5)}`;
      if (below(2) === 0) return { client, graceMs: pick([0, 0, 50_000]) };
      const meta = JSON.stringify({ n: below(9), text: pick(USERS) });
      return { client, user: pick(USERS), ...(below(3) === 0 && { meta }) };
    });
    const withoutGrace = below(6) === 0 ? { withoutGrace: pick(['', ...USERS]) } : {};
    return { room, owner, changes, pauseMs: 0, ...withoutGrace };
  });
}

/** Announcements with versions that begin at 0, for they begin at the time. */
function relative(deltas: readonly PresenceDelta[]): unknown[] {
  return deltas.map((delta) => ({
    ...delta,
    joined: [...delta.joined].sort((a, b) => (a.user < b.user ? -1 : 1)),
    left: [...delta.left].sort(),
    version: undefined,
  }));
}

describe('the script and its twin in memory', () => {
  let engines: PresenceEngine[];
  beforeAll(async () => {
    engines = [await memoryPresence(), await redisPresence()];
  });
  afterAll(() => Promise.all(engines.map((engine) => engine.stop())));

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('answer, announce and list the same (seed %i)', async (seed) => {
    const room = `chat:${randomUUID()}`;
    const [ours, theirs] = await Promise.all(
      engines.map(async (engine) => {
        const deltas = await engine.hear(room);
        const answers: unknown[] = [];
        for (const step of steps(room, seed, 300)) {
          if ('sweep' in step) {
            const { more } = await engine.store.sweep({ room, owner: step.sweep, goneAt: 0, pauseMs: 0 });
            answers.push(more);
          } else {
            const updated = await engine.store.update(step);
            const { count, users } = await engine.store.list(room, '', 500);
            const isHere = 'isHere' in updated && updated.isHere;
            answers.push([updated.status, isHere, count, users]);
          }
        }
        const { users } = await engine.store.list(room, '', 500);
        const names = users.map(({ user }) => user).sort();
        await eventually(() => expect(fold(deltas)).toEqual(names));
        return { answers, deltas };
      }),
    );
    expect(theirs!.answers).toEqual(ours!.answers);
    expect(relative(theirs!.deltas)).toEqual(relative(ours!.deltas));
    for (const { deltas } of [ours!, theirs!]) {
      for (const [index, { version }] of deltas.entries()) {
        if (index > 0) expect(version).toBeGreaterThan(deltas[index - 1]!.version);
      }
    }
  });
});
