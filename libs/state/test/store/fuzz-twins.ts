import { Random } from '@wss/testing';
import type { RoomScripts } from '../../src/index.js';
import { FuzzSteps, type Step } from './fuzz-steps.js';
import { FuzzedStore } from './fuzzed-store.js';
import { memoryStore, redisStore } from './room-store-engines.js';
import type { StoreUnderTest } from './room-store.contract.js';

const STEPS = 25;
const EVERYTHING: Step = {
  do: 'resume',
  newest: 1_000,
  most: 1_000,
  documents: true,
  lane: 's1',
  idleTtlMs: 0,
  holds: false,
};

/** Two engines, to be compared; the memory engine and Redis unless others are given. */
export class FuzzTwins {
  /** How often each thing came up. */
  readonly counts: Record<string, number> = {};

  private constructor(
    private readonly engines: readonly StoreUnderTest[],
    private readonly stores: readonly FuzzedStore[],
  ) {}

  /** @param scripts of the store on Redis; default those that are shipped */
  static async open(scripts?: RoomScripts): Promise<FuzzTwins> {
    return FuzzTwins.of([await memoryStore(), await redisStore(scripts)]);
  }

  static async of(engines: readonly [StoreUnderTest, StoreUnderTest]): Promise<FuzzTwins> {
    const stores = await Promise.all(engines.map((engine) => FuzzedStore.open(engine, 'board:fuzz')));
    return new FuzzTwins(engines, stores);
  }

  async stop(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.stop()));
  }

  /**
   * One sequence of steps on both engines; its seed alone repeats it.
   * @throws Error that shows the first difference
   */
  async compare(seed: number): Promise<void> {
    for (const store of this.stores) await store.reset();
    const steps = new FuzzSteps(new Random(seed));
    const done: Step[] = [];
    while (done.length <= STEPS) {
      const step = done.length === STEPS ? EVERYTHING : steps.next();
      done.push(step);
      const answers = await Promise.all(this.stores.map((store) => store.take(step)));
      if (answers[0] !== answers[1]) throw new Error(difference(seed, done, answers));
      steps.learn(step, answers[1]!);
      this.count(answers[1]!);
    }
  }

  private count(answer: string): void {
    const { counts } = this;
    const parts = [...answer.matchAll(/"lostParts":\["(\w+)"/g)].map(([, part]) => `lost ${part}`);
    const kinds = [...answer.matchAll(/"(?:status|kind|reason|error)":"(\w+)"/g)].map(([, kind]) => kind!);
    for (const what of [...parts, ...kinds]) counts[what] = (counts[what] ?? 0) + 1;
  }
}

function difference(seed: number, done: readonly Step[], answers: readonly string[]): string {
  const steps = done.map((step) => JSON.stringify(step)).join('\n');
  return `CHAOS_SEED=${seed}: after\n${steps}\none:   ${answers[0]}\nother: ${answers[1]}`;
}
