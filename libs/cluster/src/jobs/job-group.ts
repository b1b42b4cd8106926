import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { kindOf, LogGate, settledWithin } from '@wss/protocol';
import { ClusterContext } from '../events/cluster-context.js';
import { decodePacket, type EventPacket, PACKET_VERSION } from '../channels/cluster-packet.js';
import { DEAD_JOB_MS, type JobCounts, type JobQueue, type TakenJob } from './job-queue.js';
import { LEASE_MS } from '../nodes/lease-keeper.js';

/** How often a job runs before it is given up. */
const MAX_ATTEMPTS = 5;
/** Longest reason that is kept with a job that was given up, characters. */
const MAX_REASON_LENGTH = 500;

/** Settings of a node's jobs. */
export interface JobSettings {
  /** Largest number of jobs of one group that run at once. Default 16. */
  readonly concurrency?: number;
  /** Pause between two looks at a queue without a notification, ms. Default 1,000. */
  readonly pollMs?: number;
  /** Pause before a job's second attempt, ms; it doubles before each further one. Default 500. */
  readonly retryMs?: number;
  /** Shortest time since a dead node took a job before another node takes it over, ms. Default 5,000, the lease. */
  readonly claimAfterMs?: number;
  /** Time after which the log reports jobs that no node handles, ms. Default 10,000. */
  readonly unhandledAfterMs?: number;
  /** How long a node that stops waits for its running jobs, ms. Default 10,000. */
  readonly drainMs?: number;
}

/** Default settings. */
export const JOB_DEFAULTS: Required<JobSettings> = {
  concurrency: 16,
  pollMs: 1_000,
  retryMs: 500,
  claimAfterMs: LEASE_MS,
  unhandledAfterMs: 10_000,
  drainMs: 10_000,
};

/** Dependencies and settings of a group. */
export interface JobGroupOptions {
  readonly group: string;
  /** Events that this node has handlers for; it takes no others. */
  readonly events: readonly string[];
  readonly nodeId: string;
  readonly queue: JobQueue;
  readonly settings: Required<JobSettings>;
  /** The nodes that live. */
  alive(): Promise<string[]>;
  /** Runs the handler of a job; rejects if it fails or does not exist. */
  handle(data: unknown, context: ClusterContext): Promise<void>;
}

/** A node's figures of a group's jobs. */
export interface JobStats extends JobCounts {
  /** Here: its handler runs, or its end is being reported. */
  readonly running: number;
  /** Number of attempts that failed here. */
  readonly failures: number;
  /** Number of jobs that were given up here. */
  readonly givenUp: number;
}

/** This node's part in the jobs of one group. */
export class JobGroup {
  private readonly logger = new Logger('Jobs');
  private readonly failing = new LogGate((line) => this.logger.warn(line));
  private readonly givingUp = new LogGate((line) => this.logger.error(line));
  private readonly running = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();
  private looking?: Promise<void>;
  private again = false;
  private againForDead = false;
  private counts: JobCounts = { outstanding: 0, waiting: 0, failed: 0, unhandled: 0, dead: 0 };
  /** Number of jobs that wait here for their next attempt. */
  private pausing = 0;
  private failures = 0;
  private givenUp = 0;
  private unhandledSince?: number;
  private reported = false;

  constructor(private readonly options: JobGroupOptions) {
    // Every job that waits for its next attempt hears the stop; Node warns of a leak beyond ten.
    setMaxListeners(0, this.stopping.signal);
  }

  get stats(): JobStats {
    const { counts, failures, givenUp } = this;
    return { ...counts, running: this.running.size - this.pausing, failures, givenUp };
  }

  /** Takes waiting jobs, as many as may run; never throws. */
  look({ forDead = false } = {}): void {
    if (this.stopping.signal.aborted || this.free <= 0) return;
    if (this.looking) {
      this.again = true;
      this.againForDead ||= forDead;
      return;
    }
    this.again = this.againForDead = false;
    this.looking = this.take(forDead)
      .catch((error: Error) => this.logger.debug(`jobs can't be taken now: ${error.message}`))
      .finally(() => {
        delete this.looking;
        if (this.again) this.look({ forDead: this.againForDead });
      });
  }

  /** Counts the group's jobs, and logs if some wait that no node handles; never throws. */
  async count(): Promise<void> {
    try {
      this.counts = await this.options.queue.count(this.options.group);
      this.reportUnhandled(this.counts.unhandled);
      if (this.counts.unhandled > 0) await this.giveUpUnhandled();
    } catch (error) {
      this.logger.debug(`jobs can't be counted now: ${describe(error)}`);
    }
  }

  /**
   * Takes no more jobs. Resolves when no job runs here; jobs that wait for their next attempt are left to other
   * nodes. Bounded by `drainMs`, and by the signal.
   */
  async stop(over?: AbortSignal): Promise<void> {
    this.stopping.abort();
    const ended = (async () => {
      await this.looking;
      await Promise.all(this.running.values());
    })();
    if (!(await settledWithin(ended, this.options.settings.drainMs, over))) {
      this.logger.warn(
        `${this.running.size} jobs of "${this.options.group}" still run; other nodes will repeat them`,
      );
    }
  }

  /** Gives up jobs whose event may have lost its handler for good, so that they do not fill the group for ever. */
  private async giveUpUnhandled(): Promise<void> {
    const { group, queue } = this.options;
    const buried = await queue.buryUnhandled(group, DEAD_JOB_MS);
    if (buried === 0) return;
    this.givenUp += buried;
    this.logger.error(
      `${buried} jobs of "${group}" are given up: no node that can read them had a handler for their event for a week`,
    );
  }

  private reportUnhandled(unhandled: number): void {
    if (unhandled === 0) {
      delete this.unhandledSince;
      this.reported = false;
      return;
    }
    this.unhandledSince ??= performance.now();
    if (this.reported || performance.now() - this.unhandledSince < this.options.settings.unhandledAfterMs)
      return;
    this.reported = true;
    this.logger.warn(
      `${unhandled} jobs of "${this.options.group}" wait for a node that can read them and has a handler for their event; start one`,
    );
  }

  private get free(): number {
    return this.options.settings.concurrency - this.running.size;
  }

  private async take(forDead: boolean): Promise<void> {
    const { group, events, nodeId, queue, settings, alive } = this.options;
    const dead = forDead ? { live: await alive(), afterMs: settings.claimAfterMs } : undefined;
    const count = this.free;
    if (count <= 0) return;
    const taken = await queue.take(group, {
      nodeId,
      count,
      events,
      version: PACKET_VERSION,
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
    const { queue, group } = this.options;
    const packet = decodePacket(job.text);
    const reason = packet?.kind === 'event' ? await this.attempt(packet, job) : UNREADABLE;
    if (reason === 'left') return;
    if (reason === 'done') return this.finish(() => queue.done(group, job.entry));
    this.givenUp++;
    const line = `${reason.name} of "${group}" is given up after ${reason.attempts} attempts`;
    this.givingUp.report(packet?.kind === 'event' ? packet.pattern : '', line);
    await this.finish(() => queue.bury(group, job.entry, reason));
  }

  /** Runs a job until it is done, or left to other nodes, or failed too often. */
  private async attempt(packet: EventPacket, job: TakenJob): Promise<'done' | 'left' | GivenUpJob> {
    const name = `job ${packet.id} (${packet.pattern})`;
    let reason = 'every node that ran it died';
    for (let attempt = job.deliveries; attempt <= MAX_ATTEMPTS; attempt++) {
      try {
        const context = new ClusterContext([packet.pattern, packet.from, { id: packet.id, attempt }]);
        await this.options.handle(packet.data, context);
        return 'done';
      } catch (error) {
        this.failures++;
        reason = describe(error).slice(0, MAX_REASON_LENGTH);
        const line = `${name} of "${this.options.group}" failed in attempt ${attempt}: ${reason}`;
        this.failing.report(`${packet.pattern} ${kindOf(error)}`, line);
      }
      if (attempt < MAX_ATTEMPTS && !(await this.waitForNext(job, attempt))) return 'left';
    }
    return { name, reason, attempts: MAX_ATTEMPTS };
  }

  /**
   * Waits for a job's next attempt, and lets the engine count the job as failed meanwhile. The job does not depend on
   * that, so an engine that can't be told is left alone.
   * @returns false when the node stops
   */
  private async waitForNext({ entry }: TakenJob, attempt: number): Promise<boolean> {
    const { queue, group, nodeId } = this.options;
    const waitMs = this.backoffMs(attempt);
    this.pausing++;
    const marked = this.note(queue.markFailed(group, entry, { nodeId, waitMs }));
    const goesOn = await this.pause(waitMs);
    await marked;
    this.pausing--;
    if (goesOn) await this.note(queue.markRunning(group, entry, nodeId));
    return goesOn;
  }

  private async note(marked: Promise<void>): Promise<void> {
    try {
      await marked;
    } catch (error) {
      this.logger.debug(`the state of a job can't be noted now: ${describe(error)}`);
    }
  }

  /**
   * Reports the end of a job. A job whose end can't be reported stays held, so that this node does not run it again.
   */
  private async finish(report: () => Promise<void>): Promise<void> {
    const { settings } = this.options;
    for (;;) {
      try {
        return await report();
      } catch (error) {
        this.logger.debug(`a finished job can't be reported now: ${describe(error)}`);
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

/** A job that was given up. */
interface GivenUpJob {
  readonly name: string;
  readonly reason: string;
  readonly attempts: number;
}

/** A text that is not a packet. Its version is one that this node reads, so no other node can read it either. */
const UNREADABLE: GivenUpJob = {
  name: 'an unreadable job',
  reason: 'it is not a packet that a node can read',
  attempts: 0,
};

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
