import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import type { Redis } from 'ioredis';
import { askSeed, askView, type ClusterView } from './cluster-view.js';
import type { Commands, DataLinks, KeyGroup } from '../links/data-links.js';
import { slotOf } from './hash-slot.js';
import { countLinks, type LinkCount, linksOf } from '../links/link-count.js';
import { LinkReport } from '../server/link-report.js';
import {
  CONNECT_WITHIN_MS,
  openLink,
  outOfReach,
  preload,
  type RedisLinkOptions,
} from '../links/open-link.js';
import { Publications } from '../links/publications.js';
import { isRedirection, RedisError } from '../links/redis-errors.js';
import { describeTarget, type RedisAddress } from '../links/redis-target.js';
import { routedCommands } from './routed-commands.js';
import { SlotMap } from './slot-map.js';

/** How often the servers are asked for their hash slots, ms; every sign of a change asks at once. */
const LOOK_MS = 2_000;
/** Shortest pause between two such questions, ms. */
const LOOK_PAUSE_MS = 20;
/** How long a redirected command is tried, ms. */
const REDIRECT_MS = 1_500;
/** Pauses between those attempts, ms. */
const FIRST_PAUSE_MS = 20;
const MOST_PAUSE_MS = 200;

/** No server at that address belongs to a Redis Cluster; the message says what to write instead. */
export class NoRedisCluster extends Error {}

/** A master that has slots, and the links to it. */
export interface Shard {
  readonly address: RedisAddress;
  readonly commands: Redis;
  readonly reads: Redis;
  readonly subscriber: Redis;
  /** Exists only if the node waits for replicas: WAIT blocks its connection. */
  readonly fence?: Redis;
  /** True once its links have been up; until then callers wait for them. */
  opened: boolean;
}

/**
 * A node's connections to a Redis Cluster: those of `RedisLinks`, for each master.
 *
 * The driver's own cluster client is not used: it sends commands again by itself, and after that nobody knows how
 * often they were applied. Here a command is sent again only if the server said that it did nothing.
 */
export class ClusterLinks implements DataLinks {
  readonly publish = 'SPUBLISH';
  readonly publications = new Publications(this);
  readonly commands: Commands;
  readonly reads: Commands;
  private readonly faults = new LogGate((line) => new Logger('RedisLinks').error(line));
  private readonly report = new LinkReport();
  private readonly byName = new Map<string, Shard>();
  private readonly openedListeners: ((subscriber: Redis) => void)[] = [];
  private readonly lookListeners: (() => void)[] = [];
  private map = new SlotMap([]);
  private trouble: string | undefined = 'no server of the cluster was asked yet';
  private looking?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private lookedAt = -Infinity;
  private closed = false;

  private constructor(private readonly options: RedisLinkOptions) {
    this.commands = this.routed('commands');
    this.reads = this.routed('reads');
  }

  /**
   * Connects to all masters.
   * @throws RedisUnreachable with a remedy when not all slots are served in time, NoRedisCluster when there is none
   */
  static async connect(options: RedisLinkOptions): Promise<ClusterLinks> {
    const links = new ClusterLinks(options);
    try {
      await links.firstProblemsGone();
    } catch (error) {
      await links.close();
      throw error;
    }
    links.timer = setInterval(() => void links.refresh(), LOOK_MS).unref();
    return links;
  }

  /** The masters that have slots. */
  get shards(): Shard[] {
    return [...this.byName.values()];
  }

  /** The master that has a hash slot, as far as is known. */
  shardOf(slot: number): Shard | undefined {
    return this.byName.get(this.map.ownerOf(slot) ?? '');
  }

  /**
   * A hash tag in a slot of a master, for keys and channels that belong on it; undefined for a master without slots.
   */
  tagOf(shard: Shard): string | undefined {
    if (!this.shards.includes(shard)) return undefined;
    let tag = 0;
    while (this.shardOf(slotOf(String(tag))) !== shard) tag++;
    return String(tag);
  }

  /** The problem; undefined while every slot is served, all links are up and scripts can publish. */
  problem(): string | undefined {
    if (this.trouble) return `Redis: ${this.trouble}`;
    const links = this.shards.flatMap(linksOf);
    const down = links.filter(({ status }) => status !== 'ready');
    if (down.length === 0) return this.publications.problem();
    return `Redis: ${down.length} of ${links.length} links are down`;
  }

  /** Number of links to all masters, and how many of them are up. */
  counts(): LinkCount[] {
    return countLinks(this.shards);
  }

  /** Calls back with each subscribing link, now and whenever one is opened. */
  onSubscriber(callback: (subscriber: Redis) => void): void {
    this.openedListeners.push(callback);
    for (const { subscriber } of this.shards) callback(subscriber);
  }

  /** Calls back whenever the servers were asked for their slots. */
  onLook(callback: () => void): void {
    this.lookListeners.push(callback);
  }

  byServer(keys: readonly string[]): KeyGroup[] {
    const groups = new Map<Redis | undefined, number[]>();
    keys.forEach((key, index) => {
      const redis = this.shardOf(slotOf(key))?.commands;
      const indices = groups.get(redis) ?? [];
      indices.push(index);
      groups.set(redis, indices);
    });
    return [...groups].map(([redis, indices]) => ({ redis, indices }));
  }

  /**
   * Runs work at the master that has a key, and again as long as servers refuse it because the slot moves or has
   * moved. The work must begin with the one command that a server may refuse like this.
   * @throws RedisError `unsent` when its link is down; else what work throws
   */
  async run<T>(
    key: string,
    work: (redis: Redis) => Promise<T>,
    role: 'commands' | 'reads' = 'commands',
  ): Promise<T> {
    const slot = slotOf(key);
    const until = performance.now() + REDIRECT_MS;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, MOST_PAUSE_MS)) {
      try {
        const redis = this.shardOf(slot)?.[role];
        if (redis?.status === 'ready') return await work(redis);
        throw new RedisError(
          'unsent',
          `the link to the master of slot ${slot} is ${redis?.status ?? 'unknown'}`,
        );
      } catch (error) {
        if (!this.mayPass(slot, error) || performance.now() >= until) throw error;
      }
      await delay(pause);
      await this.refresh();
    }
  }

  /** True if an immediate retry may succeed: the slot moves, or the links to its master are being opened. */
  mayPass(slot: number, error: unknown): boolean {
    return isRedirection(error) || (isUnsent(error) && !this.shardOf(slot)?.opened);
  }

  /** Asks the servers for their slots; concurrent callers share one answer. Never rejects. */
  refresh(): Promise<void> {
    this.looking ??= this.look()
      .catch((error: unknown) => this.faults.report(kindOf(error), stackOf(error)))
      .finally(() => delete this.looking);
    return this.looking;
  }

  /** Closes all links for good; commands under way fail as `unknown`. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    this.publications.close();
    for (const name of [...this.byName.keys()]) this.closeShard(name);
    await this.looking;
  }

  private routed(role: 'commands' | 'reads'): Commands {
    return routedCommands(
      (key, work) => this.run(key, work, role),
      () => this.shards.some((shard) => shard[role].status === 'ready'),
    );
  }

  private async firstProblemsGone(): Promise<void> {
    const { target, connectWithinMs = CONNECT_WITHIN_MS } = this.options;
    const until = performance.now() + connectWithinMs;
    for (;;) {
      await this.refresh();
      const problem = this.problem();
      if (problem === undefined) return;
      if (problem.includes('cluster support disabled')) {
        const remedy = 'name one host, or sentinels as in redis+sentinel://host1,host2/master';
        throw new NoRedisCluster(`there is no Redis Cluster at ${describeTarget(target)}: ${remedy}`);
      }
      if (performance.now() >= until) throw outOfReach(target, connectWithinMs, problem);
      await delay(100);
    }
  }

  private async look(): Promise<void> {
    // A server that redirects a command knows more than the others; asking in a loop would not help.
    await delay(Math.max(0, this.lookedAt + LOOK_PAUSE_MS - performance.now()));
    this.lookedAt = performance.now();
    const views = await this.ask();
    if (this.closed || views.length === 0) return;
    this.map = new SlotMap(views, this.options.target.tls);
    const unwilling = views.filter(({ ok }) => !ok).length;
    this.trouble = undefined;
    if (this.map.uncovered > 0) this.trouble = `${this.map.uncovered} slots of the cluster have no master`;
    else if (unwilling > 0) this.trouble = `${unwilling} of its servers say that the cluster is down`;
    for (const [name, address] of this.map.masters) if (!this.byName.has(name)) this.openShard(name, address);
    for (const name of [...this.byName.keys()]) if (!this.map.masters.has(name)) this.closeShard(name);
    for (const listener of this.lookListeners) listener();
  }

  /** Asks all masters for their view of the cluster; if none answers, the servers that the configuration names. */
  private async ask(): Promise<ClusterView[]> {
    const ready = this.shards.filter(({ commands }) => commands.status === 'ready');
    const told = await Promise.allSettled(ready.map(({ commands, address }) => askView(commands, address)));
    const views = told.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    if (views.length > 0 || this.closed) return views;
    const { hosts } = this.options.target;
    const answers = await Promise.allSettled(hosts.map((host) => askSeed(this.options, host)));
    const reasons = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [(answer.reason as Error).message] : [],
    );
    if (reasons.length === hosts.length) this.trouble = `no server of the cluster answers: ${reasons[0]}`;
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  private openShard(name: string, address: RedisAddress): void {
    const options = { report: this.report, ...this.options };
    const at = options.translate?.(address) ?? address;
    const shard: Shard = {
      address,
      commands: openLink(options, 'commands', at),
      reads: openLink(options, 'reads', at),
      subscriber: openLink(options, 'subscriber', at),
      ...(options.withFence && { fence: openLink(options, 'fence', at) }),
      opened: false,
    };
    this.byName.set(name, shard);
    shard.commands.on('ready', () => {
      preload(shard.commands, options.scripts ?? []);
    });
    for (const listener of this.openedListeners) listener(shard.subscriber);
    for (const redis of linksOf(shard)) {
      redis.on('ready', () => (shard.opened ||= linksOf(shard).every(({ status }) => status === 'ready')));
      redis.on('close', () => void (this.closed || this.refresh()));
      // The link reports the failure itself and keeps trying.
      redis.connect().catch(() => undefined);
    }
  }

  private closeShard(name: string): void {
    const shard = this.byName.get(name);
    this.byName.delete(name);
    // On a link that has ended already, ioredis would start a timer.
    for (const redis of shard ? linksOf(shard) : []) if (redis.status !== 'end') redis.disconnect();
  }
}

function isUnsent(error: unknown): boolean {
  return error instanceof RedisError && error.failure === 'unsent';
}
