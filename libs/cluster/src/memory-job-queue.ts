import type { MemoryEngine, MemoryJob } from '@wss/state';
import { JobQueue, MAX_OUTSTANDING_JOBS, type TakenJob, type TakeOptions } from './job-queue.js';

/** Jobs of the nodes of one process. */
export class MemoryJobQueue extends JobQueue {
  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  add(group: string, text: string): Promise<boolean> {
    return this.engine.call(() => {
      const jobs = this.jobsOf(group);
      if (jobs.size >= MAX_OUTSTANDING_JOBS) return false;
      jobs.set(this.engine.nextJobEntry(), { text, deliveries: 0, takenAt: 0 });
      return true;
    });
  }

  take(group: string, options: TakeOptions): Promise<TakenJob[]> {
    return this.engine.call(() => {
      const jobs = [...this.jobsOf(group)];
      const unknown = jobs.filter(([entry, job]) => this.isUnknown(entry, job, options));
      const dead = jobs.filter(([, job]) => this.isLeft(job, options));
      const fresh = jobs.filter(([, { holder }]) => holder === undefined);
      return [...unknown, ...dead, ...fresh].slice(0, options.count).map(([entry, job]) => {
        job.holder = options.nodeId;
        job.takenAt = this.engine.now();
        job.deliveries++;
        return { entry, text: job.text, deliveries: job.deliveries };
      });
    });
  }

  done(group: string, entry: string): Promise<void> {
    return this.engine.call(() => void this.jobsOf(group).delete(entry));
  }

  private isUnknown(entry: string, { holder }: MemoryJob, { nodeId, held }: TakeOptions): boolean {
    return holder === nodeId && !held.includes(entry);
  }

  private isLeft({ holder, takenAt }: MemoryJob, { nodeId, dead }: TakeOptions): boolean {
    if (!dead || holder === undefined || holder === nodeId || dead.live.includes(holder)) return false;
    return this.engine.now() - takenAt >= dead.afterMs;
  }

  private jobsOf(group: string): Map<string, MemoryJob> {
    const jobs = this.engine.jobs.get(group) ?? new Map<string, MemoryJob>();
    this.engine.jobs.set(group, jobs);
    return jobs;
  }
}
