import { type DataLinks, LuaScript, type RedisKeys } from '@wss/redis';
import { JobQueue, MAX_OUTSTANDING_JOBS, type TakenJob, type TakeOptions } from './job-queue.js';

/** Scripts of the job queue, to be preloaded. */
export const JOB_SCRIPTS = {
  add: new LuaScript<0 | 1>(new URL('./lua/job_add.lua', import.meta.url)),
  take: new LuaScript<[entry: string, text: string, deliveries: number][]>(
    new URL('./lua/job_take.lua', import.meta.url),
  ),
  done: new LuaScript<0 | 1>(new URL('./lua/job_done.lua', import.meta.url)),
};

/** Jobs in Redis, a stream per group. They are as durable as Redis is. */
export class RedisJobQueue extends JobQueue {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
  ) {
    super();
  }

  async add(group: string, text: string): Promise<boolean> {
    const args = [text, MAX_OUTSTANDING_JOBS];
    return (await JOB_SCRIPTS.add.run(this.links.commands, [this.keys.jobs(group)], args)) === 1;
  }

  async take(group: string, { nodeId, count, held, dead }: TakeOptions): Promise<TakenJob[]> {
    const args = [nodeId, count, dead?.afterMs ?? -1, held.length, ...held, ...(dead?.live ?? [])];
    const taken = await JOB_SCRIPTS.take.run(this.links.commands, [this.keys.jobs(group)], args);
    return taken.map(([entry, text, deliveries]) => ({ entry, text, deliveries }));
  }

  async done(group: string, entry: string): Promise<void> {
    await JOB_SCRIPTS.done.run(this.links.commands, [this.keys.jobs(group)], [entry]);
  }
}
