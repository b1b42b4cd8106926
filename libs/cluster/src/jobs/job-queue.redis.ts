import { type DataLinks, LuaScript, type RedisKeys } from '@wss/redis';
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

/** Scripts of the job queue, to be preloaded. */
export const JOB_SCRIPTS = {
  add: new LuaScript<0 | 1>(new URL('./lua/job_add.lua', import.meta.url)),
  take: new LuaScript<[entry: string, text: string, deliveries: number][]>(
    new URL('./lua/job_take.lua', import.meta.url),
  ),
  mark: new LuaScript<0 | 1>(new URL('./lua/job_mark.lua', import.meta.url)),
  done: new LuaScript<0 | 1>(new URL('./lua/job_done.lua', import.meta.url)),
  bury: new LuaScript<0 | 1>(new URL('./lua/job_bury.lua', import.meta.url)),
  buryUnhandled: new LuaScript<number>(new URL('./lua/job_bury_unhandled.lua', import.meta.url)),
  count: new LuaScript<
    [outstanding: number, waiting: number, failed: number, unhandled: number, dead: number]
  >(new URL('./lua/job_count.lua', import.meta.url)),
};

/** Jobs in Redis, one stream for each group. They are as durable as Redis. */
export class RedisJobQueue extends JobQueue {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
  ) {
    super();
  }

  async add(group: string, text: string, event: string): Promise<boolean> {
    const args = [text, MAX_OUTSTANDING_JOBS, event];
    return (await JOB_SCRIPTS.add.run(this.links.commands, [this.keys.jobs(group)], args)) === 1;
  }

  async take(group: string, options: TakeOptions): Promise<TakenJob[]> {
    const { nodeId, count, held, events, version, dead } = options;
    const numbers = [count, dead?.afterMs ?? -1, version, held.length, events?.length ?? -1];
    const args = [nodeId, ...numbers, ...held, ...(events ?? []), ...(dead?.live ?? [])];
    const taken = await JOB_SCRIPTS.take.run(this.links.commands, this.heldKeysOf(group), args);
    return taken.map(([entry, text, deliveries]) => ({ entry, text, deliveries }));
  }

  async done(group: string, entry: string): Promise<void> {
    await JOB_SCRIPTS.done.run(this.links.commands, this.heldKeysOf(group), [entry]);
  }

  async markFailed(group: string, entry: string, { nodeId, waitMs }: FailedJob): Promise<void> {
    const args = [entry, nodeId, Math.ceil(waitMs) + FAILED_MARK_MS];
    await JOB_SCRIPTS.mark.run(this.links.commands, this.heldKeysOf(group), args);
  }

  async markRunning(group: string, entry: string, nodeId: string): Promise<void> {
    await JOB_SCRIPTS.mark.run(this.links.commands, this.heldKeysOf(group), [entry, nodeId, 0]);
  }

  async bury(
    group: string,
    entry: string,
    { reason, attempts }: Pick<DeadJob, 'reason' | 'attempts'>,
  ): Promise<void> {
    const args = [entry, reason, attempts, MAX_DEAD_JOBS, DEAD_JOB_MS];
    await JOB_SCRIPTS.bury.run(this.links.commands, this.keysOf(group), args);
  }

  async buryUnhandled(group: string, afterMs: number): Promise<number> {
    const { reason, attempts } = UNHANDLED;
    const args = [afterMs, reason, attempts, MAX_DEAD_JOBS, DEAD_JOB_MS, MOST_UNHANDLED];
    return JOB_SCRIPTS.buryUnhandled.run(this.links.commands, this.keysOf(group), args);
  }

  async dead(group: string, count: number): Promise<DeadJob[]> {
    const key = this.keys.deadJobs(group);
    const entries = await this.links.commands.xrevrange(key, '+', '-', 'COUNT', count);
    return entries.map(([, [, text = '', , event = '', , reason = '', , attempts]]) => {
      return { text, event, reason, attempts: Number(attempts) };
    });
  }

  async count(group: string): Promise<JobCounts> {
    const counts = await JOB_SCRIPTS.count.run(this.links.commands, this.keysOf(group), []);
    const [outstanding, waiting, failed, unhandled, dead] = counts;
    return { outstanding, waiting, failed, unhandled, dead };
  }

  private heldKeysOf(group: string): string[] {
    return [this.keys.jobs(group), this.keys.failedJobs(group)];
  }

  private keysOf(group: string): string[] {
    return [...this.heldKeysOf(group), this.keys.deadJobs(group)];
  }
}
