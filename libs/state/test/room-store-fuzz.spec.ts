import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { writeSync } from 'node:fs';
import { FuzzSteps, type Step } from './fuzz-steps.js';
import { FuzzedStore } from './fuzzed-store.js';
import { memoryStore, redisStore } from './room-store-engines.js';
import type { StoreUnderTest } from './room-store.contract.js';

/** `npm run chaos` asks for more. */
const SEQUENCES = process.env.CHAOS === 'long' ? 10_000 : 200;

const STEPS = 25;
const EVERYTHING: Step = {
  do: 'resume',
  newest: 1_000,
  most: 1_000,
  documents: true,
  lane: 's1',
  idleTtlMs: 0,
};

describe('the memory engine and Redis', () => {
  let engines: StoreUnderTest[];
  let stores: FuzzedStore[];

  beforeAll(async () => {
    engines = [await memoryStore(), await redisStore()];
    stores = await Promise.all(engines.map((engine) => FuzzedStore.open(engine, 'board:fuzz')));
  });
  afterAll(() => Promise.all((engines ?? []).map((engine) => engine.stop())));

  it('answer, publish and keep the same, whatever is asked of them, when time passes and history is lost', async () => {
    const seed = newSeed();
    const counts: Record<string, number> = {};
    for (let i = 0; i < SEQUENCES; i++) await compare(seed + i, counts);
    const line = JSON.stringify({ seed, sequences: SEQUENCES, ...counts });
    writeSync(process.stderr.fd, `fuzzed stores: ${line}\n`);
  }, 1_800_000);

  /** One sequence of steps on both engines; its seed alone repeats it. */
  async function compare(seed: number, counts: Record<string, number>): Promise<void> {
    for (const store of stores) await store.reset();
    const steps = new FuzzSteps(new Random(seed));
    const done: Step[] = [];
    while (done.length <= STEPS) {
      const step = done.length === STEPS ? EVERYTHING : steps.next();
      done.push(step);
      const [memory, redis] = await Promise.all(stores.map((store) => store.take(step)));
      if (memory !== redis) throw new Error(difference(seed, done, memory!, redis!));
      steps.learn(step, redis!);
      for (const [, part] of redis!.matchAll(/"lostParts":\["(\w+)"/g)) {
        counts[`lost ${part}`] = (counts[`lost ${part}`] ?? 0) + 1;
      }
      for (const [, kind] of redis!.matchAll(/"(?:status|kind|reason|error)":"(\w+)"/g)) {
        counts[kind!] = (counts[kind!] ?? 0) + 1;
      }
    }
  }
});

function difference(seed: number, done: readonly Step[], memory: string, redis: string): string {
  const steps = done.map((step) => JSON.stringify(step)).join('\n');
  return `CHAOS_SEED=${seed}: after\n${steps}\nmemory: ${memory}\nRedis:  ${redis}`;
}
