import { expect } from '@jest/globals';
import type { Random } from '@wss/testing';
import type { JobQueue } from '../../src/index.js';

const NODES = ['ann', 'bob', 'cat'] as const;
const EVENTS = ['x', 'y', 'z'] as const;

/** One outstanding job, as the model knows it. */
interface ModelJob {
  readonly event: string;
  /** Its name in the queue, once a node has taken it. */
  entry?: string;
  holder?: string;
  isFailed: boolean;
  isAside: boolean;
}

interface CountedJobsOptions {
  readonly queue: JobQueue;
  /** A group that nobody else uses. */
  readonly group: string;
  readonly random: Random;
  readonly seed: number;
}

/** A random history of a group's jobs, and a model that knows how many of them are in each state. */
export class CountedJobs {
  private readonly jobs = new Map<string, ModelJob>();
  private dead = 0;
  private added = 0;
  /** Events of each node. Where nodes leave jobs to others, a node meets all jobs at once, so that the model knows. */
  private readonly handled: ReadonlyMap<string, readonly string[]>;
  private readonly meetsAll: boolean;

  constructor(private readonly options: CountedJobsOptions) {
    const { random } = options;
    this.meetsAll = random.below(2) === 0;
    const eventsOf = (i: number): readonly string[] => (this.meetsAll ? [EVENTS[i]!, 'x'] : EVENTS);
    this.handled = new Map(NODES.map((node, i) => [node, eventsOf(i)]));
  }

  /** Acts at random, and compares the numbers after each step. */
  async play(steps: number): Promise<void> {
    const { queue, group, random, seed } = this.options;
    const actions = [this.add, this.add, this.take, this.mark, this.mark, this.end, this.buryAside];
    for (let step = 0; step < steps; step++) {
      const action = random.pick(actions);
      await action.call(this);
      expect({ seed, group, step, ...(await queue.count(group)) }).toEqual({
        seed,
        group,
        step,
        ...this.counts(),
      });
    }
  }

  private counts(): Record<'outstanding' | 'waiting' | 'failed' | 'unhandled' | 'dead', number> {
    const jobs = [...this.jobs.values()];
    return {
      outstanding: jobs.length,
      waiting: jobs.filter(({ holder }) => holder === undefined).length,
      failed: jobs.filter(({ isFailed }) => isFailed).length,
      unhandled: jobs.filter(({ isAside }) => isAside).length,
      dead: this.dead,
    };
  }

  private async add(): Promise<void> {
    const event = this.options.random.pick(EVENTS);
    const text = `${event} ${this.added++}`;
    await this.options.queue.add(this.options.group, text, event);
    this.jobs.set(text, { event, isFailed: false, isAside: false });
  }

  private async take(): Promise<void> {
    const { queue, group, random } = this.options;
    const nodeId = random.pick(NODES);
    const events = this.handled.get(nodeId)!;
    const live = NODES.filter((node) => node === nodeId || random.below(2) === 0);
    const mine = [...this.jobs.values()].filter(({ holder }) => holder === nodeId);
    const held = mine.filter(() => random.below(4) > 0).map(({ entry }) => entry!);
    const count = this.meetsAll ? 1_000 : 1 + random.below(3);
    const options = { nodeId, count, held, events, version: 1, dead: { live, afterMs: 0 } };
    for (const { entry, text } of await queue.take(group, options)) {
      const job = this.jobs.get(text)!;
      Object.assign(job, { entry, holder: nodeId, isFailed: false, isAside: false });
    }
    for (const job of this.jobs.values()) {
      const isLeft = job.holder === undefined || !live.some((node) => node === job.holder);
      if (!isLeft || events.includes(job.event)) continue;
      delete job.holder;
      Object.assign(job, { isFailed: false, isAside: true });
    }
  }

  /** Says that a job failed or that it runs again, also in the name of a node that does not hold it. */
  private async mark(): Promise<void> {
    const { queue, group, random } = this.options;
    const job = this.anyTaken();
    if (!job) return;
    const nodeId = random.below(4) === 0 ? random.pick(NODES) : (job.holder ?? random.pick(NODES));
    const isFailed = random.below(3) > 0;
    if (isFailed) await queue.markFailed(group, job.entry!, { nodeId, waitMs: random.below(1_000) });
    else await queue.markRunning(group, job.entry!, nodeId);
    if (job.holder === nodeId) job.isFailed = isFailed;
  }

  private async end(): Promise<void> {
    const { queue, group, random } = this.options;
    const job = this.anyTaken();
    if (!job) return;
    const isGivenUp = random.below(2) === 0;
    if (isGivenUp) await queue.bury(group, job.entry!, { reason: 'broken', attempts: 5 });
    else await queue.done(group, job.entry!);
    if (isGivenUp) this.dead++;
    for (const [text, one] of this.jobs) if (one === job) this.jobs.delete(text);
    // A job that is gone stays gone, whatever its node says of it.
    await queue.markFailed(group, job.entry!, { nodeId: job.holder ?? 'ann', waitMs: 0 });
  }

  private async buryAside(): Promise<void> {
    const { queue, group, random } = this.options;
    if (random.below(4) > 0) return;
    await queue.buryUnhandled(group, 0);
    for (const [text, { isAside }] of this.jobs) {
      if (!isAside) continue;
      this.jobs.delete(text);
      this.dead++;
    }
  }

  private anyTaken(): ModelJob | undefined {
    const taken = [...this.jobs.values()].filter(({ entry }) => entry !== undefined);
    return taken.length === 0 ? undefined : this.options.random.pick(taken);
  }
}
