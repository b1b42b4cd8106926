import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isUserName, parseRoomName } from '@wss/protocol';
import { newSeed, Random, RedisServer } from '@wss/testing';
import { absentBeside, slotOf } from '../src/cluster/hash-slot.js';
import { RedisKeys } from '../src/index.js';

const ALPHABET = [
  '{',
  '}',
  '%',
  ':',
  ' ',
  '{}',
  '{}{x}',
  '}{',
  'a',
  'B',
  '0',
  '-',
  'é',
  '💥',
  '*',
  '\\',
  '"',
];
const NAMES = ['}', '{', '{}', '}{', '{}{x}', 'a}b', '{a}', '{a', '{a}}', ':{}', '%7D', 'ann'];
const ROUNDS = 400;

/** The names that make keys. */
const METHODS = Object.getOwnPropertyNames(RedisKeys.prototype).filter((name) => name !== 'constructor');

/** All keys of a builder, those of its own builders included. */
function keysIn(built: unknown, names: readonly string[]): string[] {
  if (typeof built === 'string') return [built];
  if (typeof built === 'function')
    return keysIn((built as (name: string) => string)(names[0]!), names.slice(1));
  return Object.values(built as object).flatMap((part) => keysIn(part, names));
}

/** Room names, session ids and groups that are let in; the others are refused before a key is made. */
const ROOMS = ['chat:lobby', 'a:_.-', '$cluster', `x:${'y'.repeat(128)}`];
const IDS = ['abc', '_-', 'A1', 'x'.repeat(64)];
const STRICT: Readonly<Record<string, readonly string[]>> = {
  room: ROOMS,
  presence: ROOMS,
  session: IDS,
  jobs: ['all', 'a.b_-'],
  deadJobs: ['all', 'a.b_-'],
  failedJobs: ['all', 'a.b_-'],
};

describe('keys of any names, on the slots of a real Redis Cluster', () => {
  const seed = newSeed();
  const random = new Random(seed);
  const keys = new RedisKeys('wss');
  let server: RedisServer;

  beforeAll(async () => {
    process.stdout.write(`seed ${seed}\n`);
    server = await RedisServer.start({ args: ['--cluster-enabled', 'yes'] });
  });
  afterAll(() => server?.stop());

  const anyName = (): string =>
    random.below(3) === 0
      ? random.pick(NAMES)
      : Array.from({ length: 1 + random.below(6) }, () => random.pick(ALPHABET)).join('');
  const realSlots = (all: readonly string[]): Promise<number[]> =>
    Promise.all(all.map(async (key) => Number(await server.cli('CLUSTER', 'KEYSLOT', key))));
  const build = (method: string): string[] => {
    const make = keys[method as 'room'] as unknown;
    const strict = STRICT[method];
    const names = [strict ? random.pick(strict) : anyName(), anyName(), anyName()];
    const [first, ...rest] = names;
    return keysIn(
      typeof make === 'function'
        ? (make as (...given: unknown[]) => unknown).call(keys, first, rest[0])
        : make,
      rest,
    );
  };

  it('have the slot that this node reckons, and a name beside them in it that no key has', async () => {
    for (let round = 0; round < ROUNDS / 20; round++) {
      const all = METHODS.flatMap(build);
      const slots = await realSlots(all);
      expect(all.map(slotOf)).toEqual(slots);
      const beside = all.map(absentBeside);
      expect(await realSlots(beside)).toEqual(slots);
      for (const name of beside) {
        expect(name).toMatch(/^wss:\{.*:-$/su);
        expect(all).not.toContain(name);
      }
    }
  });

  it('lie in one slot where one script touches them', async () => {
    for (let round = 0; round < ROUNDS / 20; round++) {
      const [room, id, group] = [random.pick(ROOMS), random.pick(IDS), random.pick(STRICT['jobs']!)];
      const together = [
        [
          ...keysIn(keys.room(room), [anyName(), anyName(), anyName()]),
          ...keysIn(keys.presence(room), [anyName()]),
        ],
        keysIn(keys.session(id), []),
        [keys.nodes, keys.nodeRecords, keys.presenceOwners],
        [keys.jobs(group), keys.deadJobs(group), keys.failedJobs(group)],
      ];
      for (const set of together) {
        const slots = await realSlots([...set, absentBeside(set[0]!)]);
        expect(new Set(slots).size).toBe(1);
      }
    }
  });

  it('are made of no room whose name could part them', () => {
    for (let round = 0; round < ROUNDS; round++) {
      const name = anyName();
      for (const room of [name, `chat:${name}`, `${name}:lobby`])
        if (parseRoomName(room)) expect(room).not.toMatch(/[{}]/);
    }
    expect(NAMES.every(isUserName)).toBe(true);
  });
});
