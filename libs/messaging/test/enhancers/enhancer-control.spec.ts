import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { GLOBAL_PLACES, KINDS, OWN_PLACES, passing, planned, type PlannedEnhancer } from './enhancer-plan.js';
import { type PlannedApp, type PlannedHandler, playNative, playRouted } from './enhancer-world.js';

const APPS = 25;
const HANDLERS = 4;

function planOf(random: Random): PlannedApp {
  const handlers = Array.from({ length: HANDLERS }, (_, index): PlannedHandler => {
    const ends = random.pick(['pass', 'pass', 'pass', 'throw', 'fail'] as const);
    return { event: `say.${index}`, own: planned(random, OWN_PLACES, 5), ends };
  });
  return { global: planned(random, GLOBAL_PLACES, 5), handlers };
}

/** Every kind at every place, none of which refuses anything, around handlers that answer and that fail. */
function wholePlan(): PlannedApp {
  const at = (places: readonly PlannedEnhancer['place'][]): PlannedEnhancer[] =>
    KINDS.flatMap((kind) => places.map((place) => passing(kind, place)));
  return {
    global: at(GLOBAL_PLACES),
    handlers: [
      { event: 'answers', own: at(OWN_PLACES), ends: 'pass' },
      { event: 'fails', own: at(OWN_PLACES), ends: 'fail' },
      { event: 'fails.with.class.filter', own: at(['class']), ends: 'fail' },
    ],
  };
}

/** Enhancers that run on no message of a gateway of Nest: global filters, and those made anew for each use. */
const NEVER = new Set([
  ...GLOBAL_PLACES.map((place) => `filter ${place}`),
  ...KINDS.flatMap((kind) => [`${kind} app-request`, `${kind} app-transient`]),
]);

describe('enhancers around commands, beside those of gateways of Nest under its own adapter', () => {
  beforeAll(() => void captureLogs());
  afterAll(releaseLogs);

  it('are the same, run in the same order, and give the client the same answer', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const ran = new Set<string>();
    for (let play = 0; play < APPS; play++) {
      const plan = play === 0 ? wholePlan() : planOf(random);
      const [native, routed] = [await playNative(plan), await playRouted(plan)];
      expect({ seed, play, plan, outcomes: routed }).toEqual({ seed, play, plan, outcomes: native });
      for (const line of routed.flatMap(({ notes }) => notes)) ran.add(line.split(' ').slice(0, 2).join(' '));
    }
    const all = KINDS.flatMap((kind) => [...GLOBAL_PLACES, ...OWN_PLACES].map((place) => `${kind} ${place}`));
    expect([...ran].filter((name) => all.includes(name)).sort()).toEqual(
      all.filter((name) => !NEVER.has(name)).sort(),
    );
    process.stdout.write(`enhancer-control: ${JSON.stringify({ seed, apps: APPS })}\n`);
  }, 120_000);
});
