import { describe, expect, it } from '@jest/globals';
import { newSeed, Random, type ScriptChange } from '@wss/testing';
import { UserParts } from '../../src/rates/user-parts.js';
import { memoryLimits, redisLimits } from './user-limit-engines.js';
import { type NodeFlaw, Simulation, type UserLimitEngine } from './user-rates.contract.js';

/** Commands beyond a limit that some runs find; the contract has a run without bugs. */
async function excessOf(engine: UserLimitEngine, flaw: NodeFlaw = {}): Promise<string[]> {
  const seed = newSeed();
  try {
    for (let i = 0; i < 300; i++) {
      const simulation = new Simulation(engine, new Random(seed + i), flaw);
      for (let step = 0; step < 30; step++) await simulation.step();
      simulation.close();
      const excess = simulation.excess();
      if (excess.length > 0) return excess;
    }
    return [];
  } finally {
    await engine.stop();
  }
}

const IN_SCRIPT: readonly (readonly [bug: string, change: ScriptChange])[] = [
  ['a bound off by one', ['local left = limit\n', 'local left = limit + 1\n']],
  ['a part that is not written', ["call('SET', KEYS[1], ", "call('SET', KEYS[1] .. ':clock:x', "]],
  ['a part that counts from when it was given', ['given > 1 and latest or now', 'now']],
  ['a part that is over and takes another back', ['instant and instant > now - window', 'instant']],
  ['a fifth of the window for each part', ['local latest = now + life', 'local latest = now + life / 4']],
];

describe('planted bugs of limits over all rooms', () => {
  it.each(IN_SCRIPT)(
    '%s is found',
    async (_bug, change) => {
      expect(await excessOf(await redisLimits([change]))).not.toEqual([]);
    },
    120_000,
  );

  it("a node's wall clock, which is set back, is found", async () => {
    // It is set back again and again: two thirds of the time are lost.
    const clock = (steady: () => number) => (): number => steady() / 3;
    expect(await excessOf(await memoryLimits(), { clock })).not.toEqual([]);
  });

  it('a part that is used for its time from the answer on is found', async () => {
    const { given } = UserParts.prototype;
    UserParts.prototype.given = function (this: UserParts, part, { now }) {
      given.call(this, part, { askedAt: now, now });
    };
    try {
      expect(await excessOf(await memoryLimits())).not.toEqual([]);
    } finally {
      UserParts.prototype.given = given;
    }
  });
});
