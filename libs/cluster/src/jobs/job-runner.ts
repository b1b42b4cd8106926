import { Inject, Injectable, type OnModuleDestroy, Optional } from '@nestjs/common';
import { RedisKeys } from '@wss/redis';
import { Channels } from '../channels/channels.js';
import { ChannelSubscriptions } from '../channels/channel-subscriptions.js';
import { ClusterRoutes } from '../events/cluster-routes.js';
import { JOB_DEFAULTS, JobGroup, type JobSettings, type JobStats } from './job-group.js';
import { JobQueue } from './job-queue.js';
import { NodeRegistry } from '../nodes/node-registry.js';

/** Token of this node's {@link JobSettings}; their provider is optional. */
export const JOB_SETTINGS = Symbol('wss.job-settings');

/** Runs the jobs of the groups that this node has handlers for. */
@Injectable()
export class JobRunner implements OnModuleDestroy {
  private readonly groups = new Map<string, JobGroup>();
  private readonly settings: Required<JobSettings>;
  private subscriptions?: ChannelSubscriptions;
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly queue: JobQueue,
    private readonly channels: Channels,
    private readonly keys: RedisKeys,
    private readonly registry: NodeRegistry,
    private readonly routes: ClusterRoutes,
    @Optional() @Inject(JOB_SETTINGS) settings?: JobSettings,
  ) {
    this.settings = { ...JOB_DEFAULTS, ...settings };
  }

  /**
   * Begins to take jobs; the node holds its lease already, or others would take its jobs from it.
   * @throws Error that names the channel when one is refused; no jobs are taken then
   */
  async start(): Promise<void> {
    for (const [group, handlers] of this.routes.prepare().jobs) {
      this.groups.set(group, this.open(group, [...handlers.keys()]));
    }
    await this.listen();
    this.lookForAll();
    this.timer = setInterval(() => this.lookForAll(), this.settings.pollMs).unref();
  }

  /** Takes no more jobs and waits for those that run, within 10 s and until the signal. It may be started again. */
  async stop(over?: AbortSignal): Promise<void> {
    clearInterval(this.timer);
    this.subscriptions?.close();
    const groups = [...this.groups.values()];
    await Promise.all(groups.map((group) => group.stop(over)));
    this.groups.clear();
  }

  /** For a node that did not stop its jobs before, while everything that they use existed. */
  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  /** This node's figures of each group's jobs. */
  get stats(): [group: string, stats: JobStats][] {
    return [...this.groups].map(([group, { stats }]) => [group, stats]);
  }

  private open(group: string, events: readonly string[]): JobGroup {
    return new JobGroup({
      group,
      events,
      nodeId: this.registry.self.nodeId,
      queue: this.queue,
      settings: this.settings,
      alive: async () => (await this.registry.alive()).map(({ nodeId }) => nodeId),
      handle: (data, context) => this.routes.runJob(group, data, context),
    });
  }

  /** Listens to the publications that announce new jobs of a group. */
  private async listen(): Promise<void> {
    const groups = [...this.groups];
    const wakers = groups.map(([name, group]) => [this.keys.jobs(name), () => group.look()] as const);
    this.subscriptions = new ChannelSubscriptions(this.channels, new Map(wakers));
    try {
      await this.subscriptions.open();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  private lookForAll(): void {
    for (const group of this.groups.values()) {
      group.look({ forDead: true });
      void group.count();
    }
  }
}
