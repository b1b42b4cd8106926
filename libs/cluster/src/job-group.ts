import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { ClusterContext } from './cluster-context.js';
import { decodePacket, type EventPacket } from './cluster-packet.js';
import type { JobQueue, TakenJob } from './job-queue.js';
import { LEASE_MS } from './lease-keeper.js';

/** How often a job is run before it is given up. */
const MAX_ATTEMPTS = 5;

/** How a node runs jobs. */
export interface JobSettings {
  /** Jobs of one group that it runs at once. Default 16. */
  readonly concurrency?: number;
  /** Pause between two looks at a queue that nobody told of, ms. Default 1,000. */
  readonly pollMs?: number;
  /** Pause before a job's second attempt, ms; it doubles before each further one. Default 500. */
  readonly retryMs?: number;
  /** How long ago a dead node must have taken a job that another one takes over, ms. Default 5,000, the lease. */
  readonly claimAfterMs?: number;
  /** How long a node that stops waits for its running jobs, ms. Default 10,000. */
  readonly drainMs?: number;
}

/** The settings of a node that has none of its own. */
export const JOB_DEFAULTS: Required<JobSettings> = {
  concurrency: 16,
  pollMs: 1_000,
  retryMs: 500,
  claimAfterMs: LEASE_MS,
  drainMs: 10_000,
};

/** What a group is run with. */
export interface JobGroupOptions {
  readonly group: string;
  readonly nodeId: string;
  readonly queue: JobQueue;
  readonly settings: Required<JobSettings>;
  /** The nodes that live. */
  alive(): Promise<string[]>;
  /** Runs the handler of a job; rejects when it fails or there is none. */
  handle(data: unknown, context: ClusterContext): Promise<void>;
}

/** This node's part in the jobs of one group. */
export class JobGroup {
  private readonly logger = new Logger('Jobs');
  private readonly running = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();
  private looking?: Promise<void>;
  private again = false;

  constructor(private readonly options: JobGroupOptions) {}

  /** Takes what waits, as far as there is room; never throws. */
  look({ forDead = false } = {}): void {
    if (this.stopping.signal.aborted || this.free <= 0) return;
    if (this.looking) {
      this.again = true;
      return;
    }
    this.again = false;
    this.looking = this.take(forDead)
      .catch((error: Error) => this.logger.debug(`the next look takes jobs: ${error.message}`))
      .finally(() => {
        delete this.looking;
        if (this.again) this.look();
      });
  }

  /**
   * Takes nothing any more. Resolves when no job runs here; jobs that wait for their next attempt are left to other
   * nodes. Bounded by `drainMs`.
   */
  async stop(): Promise<void> {
    this.stopping.abort();
    const ended = (async () => {
      await this.looking;
      await Promise.all(this.running.values());
    })();
    const bound = new AbortController();
    const late = delay(this.options.settings.drainMs, 'late', { signal: bound.signal }).catch(
      () => undefined,
    );
    if ((await Promise.race([ended, late])) === 'late') {
      this.logger.warn(`${this.running.size} jobs of "${this.options.group}" still run; others repeat them`);
    }
    bound.abort();
  }

  private get free(): number {
    return this.options.settings.concurrency - this.running.size;
  }

  private async take(forDead: boolean): Promise<void> {
    const { group, nodeId, queue, settings, alive } = this.options;
    const dead = forDead ? { live: await alive(), afterMs: settings.claimAfterMs } : undefined;
    const count = this.free;
    if (count <= 0) return;
    const taken = await queue.take(group, {
      nodeId,
      count,
      held: [...this.running.keys()],
      ...(dead && { dead }),
    });
    for (const job of taken) this.begin(job);
    if (taken.length === count) this.again = true;
  }

  private begin(job: TakenJob): void {
    const run = this.run(job)
      .catch((error: unknown) => this.logger.error(error))
      .finally(() => {
        this.running.delete(job.entry);
        this.look();
      });
    this.running.set(job.entry, run);
  }

  private async run(job: TakenJob): Promise<void> {
    const packet = decodePacket(job.text);
    if (packet?.kind !== 'event') this.logger.error('a job that this version can not read is given up');
    else if (!(await this.succeedOrGiveUp(packet, job.deliveries))) return;
    await this.finish(job.entry);
  }

  /** @returns whether the job is over; else it is left to other nodes */
  private async succeedOrGiveUp(packet: EventPacket, firstAttempt: number): Promise<boolean> {
    const name = `job ${packet.id} (${packet.pattern}) of "${this.options.group}"`;
    for (let attempt = firstAttempt; attempt <= MAX_ATTEMPTS; attempt++) {
      try {
        const context = new ClusterContext([packet.pattern, packet.from, { id: packet.id, attempt }]);
        await this.options.handle(packet.data, context);
        return true;
      } catch (error) {
        this.logger.warn(`${name} failed in attempt ${attempt}: ${describe(error)}`);
      }
      if (attempt < MAX_ATTEMPTS && !(await this.pause(this.backoffMs(attempt)))) return false;
    }
    this.logger.error(`${name} is given up after ${MAX_ATTEMPTS} attempts`);
    return true;
  }

  /** A job that can't be reported as done stays held, so that this node does not run it again. */
  private async finish(entry: string): Promise<void> {
    const { queue, group, settings } = this.options;
    for (;;) {
      try {
        return await queue.done(group, entry);
      } catch (error) {
        this.logger.debug(`a job that is done is reported later: ${describe(error)}`);
      }
      if (!(await this.pause(settings.pollMs))) return;
    }
  }

  private backoffMs(attempt: number): number {
    return this.options.settings.retryMs * 2 ** (attempt - 1) * (0.5 + Math.random());
  }

  /** @returns false when the node stops */
  private async pause(ms: number): Promise<boolean> {
    try {
      return await delay(ms, true, { signal: this.stopping.signal });
    } catch {
      return false;
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
