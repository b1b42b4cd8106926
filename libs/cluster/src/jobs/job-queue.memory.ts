import type { MemoryEngine } from '@wss/state';
import { packetVersionOf } from '../channels/cluster-packet.js';
import {
  DEAD_JOB_MS,
  type DeadJob,
  FAILED_MARK_MS,
  type FailedJob,
  type JobCounts,
  JobQueue,
  MAX_DEAD_JOBS,
  MAX_OUTSTANDING_JOBS,
  MOST_UNHANDLED,
  type TakenJob,
  type TakeOptions,
  UNHANDLED,
} from './job-queue.js';
import { DeadJobTable, JobTable, type MemoryJob } from './job-table.memory.js';

/** Jobs of the nodes of one process. */
export class MemoryJobQueue extends JobQueue {
  private readonly jobs = this.engine.table(JobTable);
  private readonly deadJobs = this.engine.table(DeadJobTable);

  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  add(group: string, text: string, event: string): Promise<boolean> {
    return this.engine.call(() => {
      const jobs = this.jobsOf(group);
      if (jobs.size >= MAX_OUTSTANDING_JOBS) return false;
      jobs.set(this.jobs.nextEntry(), { text, event, deliveries: 0, takenAt: 0 });
      return true;
    });
  }

  take(group: string, options: TakeOptions): Promise<TakenJob[]> {
    return this.engine.call(() => {
      const jobs = this.handled(group, options);
      const unknown = jobs.filter(([entry, job]) => this.isUnknown(entry, job, options));
      const dead = jobs.filter(([, job]) => this.isLeft(job, options));
      const fresh = jobs.filter(([, { holder }]) => holder === undefined);
      return [...unknown, ...dead, ...fresh].slice(0, options.count).map(([entry, job]) => {
        job.holder = options.nodeId;
        delete job.unhandledSince;
        delete job.failedUntil;
        job.takenAt = this.engine.now();
        job.deliveries++;
        return { entry, text: job.text, deliveries: job.deliveries };
      });
    });
  }

  markFailed(group: string, entry: string, { nodeId, waitMs }: FailedJob): Promise<void> {
    return this.engine.call(() => {
      const job = this.jobsOf(group).get(entry);
      if (job?.holder === nodeId) job.failedUntil = this.engine.now() + waitMs + FAILED_MARK_MS;
    });
  }

  markRunning(group: string, entry: string, nodeId: string): Promise<void> {
    return this.engine.call(() => {
      const job = this.jobsOf(group).get(entry);
      if (job?.holder === nodeId) delete job.failedUntil;
    });
  }

  done(group: string, entry: string): Promise<void> {
    return this.engine.call(() => void this.jobsOf(group).delete(entry));
  }

  bury(
    group: string,
    entry: string,
    { reason, attempts }: Pick<DeadJob, 'reason' | 'attempts'>,
  ): Promise<void> {
    return this.engine.call(() => this.give(group, entry, { reason, attempts }));
  }

  buryUnhandled(group: string, afterMs: number): Promise<number> {
    return this.engine.call(() => {
      const before = this.engine.now() - afterMs;
      const old = [...this.jobsOf(group)].filter(([, job]) => (job.unhandledSince ?? Infinity) <= before);
      for (const [entry] of old.slice(0, MOST_UNHANDLED)) this.give(group, entry, UNHANDLED);
      return Math.min(old.length, MOST_UNHANDLED);
    });
  }

  private give(
    group: string,
    entry: string,
    { reason, attempts }: Pick<DeadJob, 'reason' | 'attempts'>,
  ): void {
    const job = this.jobsOf(group).get(entry);
    if (!job) return;
    const { text, event } = job;
    const at = this.engine.now();
    const dead = [...(this.deadJobs.rows.get(group) ?? []), { text, event, reason, attempts, at }];
    const kept = dead.slice(-MAX_DEAD_JOBS).filter((job) => at - job.at <= DEAD_JOB_MS);
    this.deadJobs.rows.set(group, kept);
    this.jobsOf(group).delete(entry);
  }

  dead(group: string, count: number): Promise<DeadJob[]> {
    return this.engine.call(() => {
      const newest = (this.deadJobs.rows.get(group) ?? []).slice(-count).reverse();
      return newest.map(({ text, event, reason, attempts }) => ({ text, event, reason, attempts }));
    });
  }

  count(group: string): Promise<JobCounts> {
    return this.engine.call(() => {
      const jobs = [...this.jobsOf(group).values()];
      const now = this.engine.now();
      return {
        outstanding: jobs.length,
        waiting: jobs.filter((job) => job.holder === undefined).length,
        failed: jobs.filter((job) => (job.failedUntil ?? 0) > now).length,
        unhandled: jobs.filter((job) => job.unhandledSince !== undefined).length,
        dead: this.deadJobs.rows.get(group)?.length ?? 0,
      };
    });
  }

  /** Returns the jobs that a node can handle, and sets the others aside unless a live node holds them. */
  private handled(group: string, options: TakeOptions): [string, MemoryJob][] {
    const jobs = [...this.jobsOf(group)];
    for (const [, job] of jobs) {
      if (canHandle(job, options) || (job.holder !== undefined && !this.isLeft(job, options))) continue;
      job.unhandledSince ??= this.engine.now();
      delete job.holder;
      delete job.failedUntil;
    }
    return jobs.filter(([, job]) => canHandle(job, options));
  }

  private isUnknown(entry: string, { holder }: MemoryJob, { nodeId, held }: TakeOptions): boolean {
    return holder === nodeId && !held.includes(entry);
  }

  private isLeft({ holder, takenAt }: MemoryJob, { nodeId, dead }: TakeOptions): boolean {
    if (!dead || holder === undefined || holder === nodeId || dead.live.includes(holder)) return false;
    return this.engine.now() - takenAt >= dead.afterMs;
  }

  private jobsOf(group: string): Map<string, MemoryJob> {
    const jobs = this.jobs.rows.get(group) ?? new Map<string, MemoryJob>();
    this.jobs.rows.set(group, jobs);
    return jobs;
  }
}

function canHandle({ text, event }: MemoryJob, { events, version }: TakeOptions): boolean {
  return packetVersionOf(text) <= version && (!events || events.includes(event));
}
