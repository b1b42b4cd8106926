import { describe, expect, it } from '@jest/globals';
import { newSeed, Random, type ScriptChange } from '@wss/testing';
import { UserParts } from '../../src/rates/user-parts.js';
import { memoryLimits, redisLimits } from './user-limit-engines.js';
import {
  LAST_MOMENT,
  LATE_ANSWER,
  lateReturn,
  lateUse,
  Simulation,
  TOO_LATE,
  type UserLimitEngine,
} from './user-rates.contract.js';

/** Random steps until one lets too much through; the contract has such runs without bugs. */
async function attacks(engine: UserLimitEngine): Promise<string[]> {
  const seed = newSeed();
  for (let i = 0; i < 300; i++) {
    const simulation = new Simulation(engine, new Random(seed + i));
    Object.assign(simulation, { isFaulty: false, latencies: [0, 1], attackOneIn: 2 });
    for (let step = 0; step < 12; step++) await simulation.step();
    simulation.close();
    const excess = simulation.excess();
    if (excess.length > 0) return excess;
  }
  return [];
}

type Scene = (engine: UserLimitEngine) => Promise<string[]>;
const lastMoment: Scene = (engine) => lateUse(engine, LAST_MOMENT);

const IN_SCRIPT: readonly (readonly [bug: string, change: ScriptChange, scene: Scene])[] = [
  ['a bound off by one', ['local left = limit\n', 'local left = limit + 1\n'], attacks],
  ['a part that is not written', ["call('SET', KEYS[1], ", "call('SET', KEYS[1] .. ':clock:x', "], attacks],
  ['a part that counts from when it was given', ['given > 1 and latest or now', 'now'], lastMoment],
  [
    'a part that counts too short',
    ['local latest = now + life', 'local latest = now + life / 4'],
    lastMoment,
  ],
  [
    'a part that is over and takes another back',
    ['instant and instant > now - window', 'instant'],
    lateReturn,
  ],
];

describe('planted bugs of limits over all rooms', () => {
  it.each(IN_SCRIPT)(
    '%s is found',
    async (_bug, change, scene) => {
      const engine = await redisLimits([change]);
      try {
        expect(await scene(engine)).not.toEqual([]);
      } finally {
        await engine.stop();
      }
    },
    120_000,
  );

  it("a node's wall clock, which is set back, is found", async () => {
    // It is set back again and again: two thirds of the time are lost.
    const clock = (steady: () => number) => (): number => steady() / 3;
    expect(await lateUse(await memoryLimits(), TOO_LATE, { clock })).not.toEqual([]);
  });

  it('a part that is used for its time from the answer on is found', async () => {
    const { given } = UserParts.prototype;
    UserParts.prototype.given = function (this: UserParts, part, { now }) {
      return given.call(this, part, { askedAt: now(), now });
    };
    try {
      expect(await lateUse(await memoryLimits(), LATE_ANSWER)).not.toEqual([]);
    } finally {
      UserParts.prototype.given = given;
    }
  });
});
