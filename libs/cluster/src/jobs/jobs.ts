import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { GatewayError, toWriteError } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import { Channels } from '../channels/channels.js';
import { encodePacket } from '../channels/cluster-packet.js';
import { JobQueue, MAX_OUTSTANDING_JOBS } from './job-queue.js';
import { checkGroup } from '../events/job-group-name.js';
import { NodeRegistry } from '../nodes/node-registry.js';

/** Largest job, bytes of JSON. */
const MAX_JOB_BYTES = 65_536;
const MAX_ID_LENGTH = 64;

/** Options of a job. */
export interface JobOptions {
  /**
   * Its id, 1 to 64 characters, by which handlers recognize a repetition: pass the same one if you send a job again
   * because its outcome was unknown. Default a random UUID.
   */
  readonly id?: string;
}

/** A job that is in the queue. */
export interface SentJob {
  /** The id that its handler gets as `context.getJob().id`, each time that it runs. */
  readonly id: string;
}

/** A group of nodes, of which one does each job. */
export interface JobTarget {
  /**
   * Sends a job: one node that has a handler for the group (`@EventPattern<string>(event, { group })`) runs it.
   * Resolves when it is in the queue, even if no such node is alive: the job waits for a node that handles its event.
   *
   * At least once: when a handler fails it is run again, up to 5 times in all, and then given up: with an error in
   * the log, and kept for a week among the last 1,000 of its group; when its node dies, another node runs it. A handler that must not repeat its effects remembers the
   * job's id. The order is that of sending, but jobs run concurrently.
   * @throws GatewayError `unavailable` (nobody gets it), `unknown_outcome` (a node may), `rate_limited` (10,000 jobs
   * of the group are outstanding), `too_large` (over 65,536 bytes of JSON)
   */
  emit(event: string, data?: unknown, options?: JobOptions): Promise<SentJob>;
}

/** Puts jobs into the queues of groups. */
@Injectable()
export class Jobs {
  private readonly logger = new Logger(Jobs.name);

  constructor(
    private readonly queue: JobQueue,
    private readonly channels: Channels,
    private readonly keys: RedisKeys,
    private readonly registry: NodeRegistry,
  ) {}

  /** @throws RangeError on a bad name */
  target(group: string): JobTarget {
    checkGroup(group);
    return { emit: (event, data, options) => this.send(group, [event, data], options) };
  }

  private async send(
    group: string,
    [pattern, data]: [string, unknown],
    { id = randomUUID() }: JobOptions = {},
  ): Promise<SentJob> {
    if (id === '' || id.length > MAX_ID_LENGTH) throw new RangeError("a job's id is 1 to 64 characters");
    const { nodeId: from } = this.registry.self;
    const text = encodePacket({ kind: 'event', from, id, pattern, data });
    if (Buffer.byteLength(text) > MAX_JOB_BYTES) {
      throw new GatewayError('too_large', `a job is over ${MAX_JOB_BYTES} bytes`);
    }
    if (!(await this.add(group, text, pattern))) {
      throw new GatewayError('rate_limited', `${MAX_OUTSTANDING_JOBS} jobs of "${group}" are outstanding`);
    }
    this.wake(group);
    return { id };
  }

  private async add(group: string, text: string, event: string): Promise<boolean> {
    try {
      return await this.queue.add(group, text, event);
    } catch (error) {
      throw toWriteError(error);
    }
  }

  /** A node that misses this finds the job within a second. */
  private wake(group: string): void {
    this.channels.publish(this.keys.jobs(group), '').catch((error: Error) => {
      this.logger.debug(`a job was not announced and waits for the next look at its queue: ${error.message}`);
    });
  }
}
