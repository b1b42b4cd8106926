import type { Redis } from 'ioredis';
import type { DataLinks } from './data-links.js';
import { ProbeRecord } from './probe-record.js';
import { isRedirection } from './redis-errors.js';
import { roleOf, timeOf } from '../server/replies.js';

/** How often each link has to prove itself, ms. */
const EVERY_MS = 2_000;
/** A link without a proof for this long does not count as up, ms. */
const PROOF_MS = 5_000;

/** The links to one server. */
export interface ProbedLinks {
  readonly commands: Redis;
  readonly reads: Redis;
  readonly subscriber: Redis;
}

/** Where and how a probe is sent. */
export interface ProbeWay {
  /** The channel; undefined while its subscription is not confirmed. */
  readonly channel: () => string | undefined;
  readonly publish: DataLinks['publish'];
  /** Name of the server whose clock is read with each probe, for messages. */
  readonly server: string;
}

/**
 * Proves the links: a message to ourselves goes out over the commanding link and has to come back over the
 * subscribing one. A link that fails is replaced: a link that is up but deaf is the worst failure that a node can
 * have.
 */
export class LinkProbe {
  private timer?: NodeJS.Timeout;
  /** On the steady clock, since the system's clock may be set. */
  private provenAt = performance.now();
  private deaf = false;
  /** The reason for which Redis refuses the probe. */
  private refusal: string | undefined;
  /** Number of the newest probe. */
  private last = 0;
  /** The newest one that was published and has to come back. */
  private sent = 0;
  private heard = 0;
  /** Probes up to this one need not come back. */
  private forgiven = 0;
  private failures = 0;
  private failedReads = 0;
  /** The probe that is under way. */
  private pending?: number;
  private channel?: string;

  constructor(
    private readonly links: ProbedLinks,
    private readonly way: ProbeWay,
    /** The record that the results go to; probes of the node's other links share it. */
    readonly record = new ProbeRecord(),
  ) {}

  /** Begins to probe; the caller subscribes the channel and passes its messages to {@link onMessage}. */
  start(): void {
    const { commands, reads, subscriber } = this.links;
    subscriber.on('ready', this.heardAgain);
    commands.on('ready', this.forgetFailures);
    reads.on('ready', this.forgetFailedReads);
    this.timer = setInterval(() => void this.probe(), EVERY_MS).unref();
  }

  stop(): void {
    const { commands, reads, subscriber } = this.links;
    subscriber.off('ready', this.heardAgain);
    commands.off('ready', this.forgetFailures);
    reads.off('ready', this.forgetFailedReads);
    clearInterval(this.timer);
  }

  /**
   * The channel is heard again, over another connection, or is about to be: that probes were lost meanwhile says nothing
   * of it, and a link that has just come back must not be cut for them. Nor for one that is under way: it may have been
   * published before, though that is told later.
   */
  readonly heardAgain = (): void => {
    this.forgiven = this.last;
    this.sent = this.heard;
  };

  /** Failures over the connection before say nothing of this one. */
  private readonly forgetFailures = (): void => {
    this.failures = 0;
  };
  private readonly forgetFailedReads = (): void => {
    this.failedReads = 0;
  };

  /** Takes a message of the probe's channel. */
  onMessage(message: string): void {
    this.heard = Math.max(this.heard, Number(message));
    if (this.pending === Number(message)) {
      delete this.pending;
      this.record.answered++;
    }
    this.provenAt = performance.now();
    this.deaf = false;
  }

  /** The problem; undefined while the last proof is fresh. A link that was deaf needs a new proof. */
  problem(): string | undefined {
    if (this.refusal !== undefined) return `Redis: the probe of the links is refused: ${this.refusal}`;
    if (this.deaf) return 'Redis: the subscribing link was deaf and has not proven itself since';
    const age = this.provenAgoMs;
    return age <= PROOF_MS ? undefined : `Redis: no proof of the links for ${Math.round(age / 1_000)} s`;
  }

  /** Time since the last proof, or since the probe was made, ms. */
  get provenAgoMs(): number {
    return performance.now() - this.provenAt;
  }

  /** A demoted master still talks to clients that are linked to it; they belong to its successor. */
  private async leaveReplica(role: 'commands' | 'subscriber'): Promise<void> {
    const redis = this.links[role];
    if (redis.status !== 'ready') return;
    // The probe itself finds a link that does not answer.
    if (roleOf(await redis.role().catch(() => undefined)) !== 'slave') return;
    this.record.faults.report('replica', 'a link leads to a replica of Redis; the node replaces it');
    this.record.replaced(role, 'replica');
    redis.disconnect(true);
  }

  /** Replaces the reading link unless it leads to the server that takes the commands. */
  private async probeReads(): Promise<void> {
    const { commands, reads } = this.links;
    if (commands.status !== 'ready' || reads.status !== 'ready') return;
    const [own, other] = await Promise.all([historyOf(reads), historyOf(commands)]);
    if (reads.status !== 'ready') return;
    this.failedReads = own === undefined ? this.failedReads + 1 : 0;
    const elsewhere = own !== undefined && other !== undefined && own !== other;
    if (this.failedReads < 2 && !elsewhere) return;
    this.record.faults.report(
      'reads',
      `the reading link to Redis ${elsewhere ? 'leads to another server' : 'does not answer'}; the node replaces it`,
    );
    this.failedReads = 0;
    this.record.replaced('reads', elsewhere ? 'replica' : 'mute');
    reads.disconnect(true);
  }

  private async probe(): Promise<void> {
    const { commands, subscriber } = this.links;
    // In a cluster, the slots of a demoted master lead to its successor.
    if (this.way.publish === 'PUBLISH')
      for (const role of ['commands', 'subscriber'] as const) void this.leaveReplica(role);
    void this.probeReads();
    this.giveUp();
    const channel = this.way.channel();
    if (channel !== this.channel) this.heardAgain();
    this.channel = channel;
    if (this.sent > this.heard && this.failures === 0 && subscriber.status === 'ready') {
      this.record.faults.report('deaf', 'the subscribing link to Redis is deaf; the node replaces it');
      this.sent = this.heard;
      this.deaf = true;
      this.record.replaced('subscriber', 'deaf');
      subscriber.disconnect(true);
      return;
    }
    if (commands.status !== 'ready' || channel === undefined) return;
    try {
      const number = ++this.last;
      await this.send(channel, number);
      if (number > this.forgiven) this.sent = number;
      this.failures = 0;
      this.refusal = undefined;
    } catch (error) {
      if (isRedirection(error)) return;
      // A link that brings a refusal is not mute; a new one would bring the same.
      if ((error as Error).name === 'ReplyError') return this.refuse(error as Error);
      if (++this.failures < 2 || commands.status !== 'ready') return;
      this.record.faults.report('mute', 'the commanding link to Redis does not answer; the node replaces it');
      this.failures = 0;
      this.record.replaced('commands', 'mute');
      commands.disconnect(true);
    }
  }

  private refuse({ message }: Error): void {
    this.failures = 0;
    if (this.refusal === undefined)
      this.record.faults.report('refused', `Redis refuses the probe of the links: ${message}`);
    this.refusal = message;
  }

  private async send(channel: string, number: number): Promise<void> {
    const { commands } = this.links;
    this.pending = number;
    void this.readClock();
    await (this.way.publish === 'PUBLISH'
      ? commands.publish(channel, String(number))
      : commands.spublish(channel, String(number)));
  }

  private async readClock(): Promise<void> {
    const sentAt = performance.now();
    // The probe itself finds a link that does not answer.
    const time = timeOf(await this.links.commands.time().catch(() => undefined));
    if (time === undefined) return;
    this.record.clock.saw(this.way.server, { sentAt, answeredAt: performance.now(), time });
  }

  /** A probe that has not come back by now counts as missed. */
  private giveUp(): void {
    if (this.pending === undefined) return;
    delete this.pending;
    this.record.missed++;
  }
}

/** The history that a server writes, and its role; undefined when it does not answer. */
async function historyOf(redis: Redis): Promise<string | undefined> {
  try {
    const info = await redis.info('replication');
    return `${/role:(\w+)/.exec(info)?.[1]} ${/master_replid:(\w+)/.exec(info)?.[1]}`;
  } catch {
    return undefined;
  }
}
