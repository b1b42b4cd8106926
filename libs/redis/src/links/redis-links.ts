import type { Redis } from 'ioredis';
import type { DataLinks, KeyGroup } from './data-links.js';
import { countLinks, type LinkCount, linksOf } from './link-count.js';
import { LinkReport } from '../server/link-report.js';
import { firstReady, openLink, preload, type LinkRole, type RedisLinkOptions } from './open-link.js';
import { Publications } from './publications.js';
import { Sentinels } from './sentinels.js';

/**
 * A node's connections to one Redis server, which may be the master that sentinels know: one for commands, one for
 * big reads, one for subscriptions.
 *
 * All reconnect for ever, with jitter. No command is ever sent twice by the driver, none queues while the link is
 * down, and each fails within its time-out: the caller decides what a missing answer means.
 */
export class RedisLinks implements DataLinks {
  readonly publish = 'PUBLISH';
  readonly publications = new Publications(this);

  private constructor(
    readonly commands: Redis,
    readonly reads: Redis,
    readonly subscriber: Redis,
    /** Exists only if the node waits for replicas: WAIT blocks its connection. */
    readonly fence?: Redis,
    private readonly sentinels?: Sentinels,
  ) {}

  /**
   * Connects the links.
   * @throws RedisUnreachable with a remedy when Redis can't be reached in time.
   */
  static async connect(options: RedisLinkOptions): Promise<RedisLinks> {
    const sentinels =
      options.target.kind === 'sentinel' ? new Sentinels(options.target, options.hold) : undefined;
    const reported = { report: new LinkReport(), ...options };
    const open = (role: LinkRole): Redis => openLink(reported, role, sentinels ?? options.target.hosts[0]!);
    const fence = options.withFence ? open('fence') : undefined;
    const links = new RedisLinks(open('commands'), open('reads'), open('subscriber'), fence, sentinels);
    const scripts = options.scripts ?? [];
    links.commands.on('ready', () => preload(links.commands, scripts));
    try {
      await Promise.all(links.all().map((redis) => firstReady(redis, options)));
    } catch (error) {
      await links.close();
      throw error;
    }
    return links;
  }

  /** The problem of the links; undefined while all are up and scripts can publish. */
  problem(): string | undefined {
    const links = this.all();
    const down = links.filter(({ status }) => status !== 'ready');
    if (down.length === 0) return this.publications.problem();
    return `Redis: ${down.length} of ${links.length} links are down`;
  }

  /** Number of links, and how many of them are up. */
  counts(): LinkCount[] {
    return countLinks([this]);
  }

  byServer(keys: readonly string[]): KeyGroup[] {
    return [{ redis: this.commands, indices: keys.map((_, index) => index) }];
  }

  private all(): Redis[] {
    return linksOf(this);
  }

  /** Closes the links for good; commands under way fail as `unknown`. */
  async close(): Promise<void> {
    this.sentinels?.close();
    this.publications.close();
    // On a link that has ended already, ioredis would start a timer.
    for (const redis of this.all()) if (redis.status !== 'end') redis.disconnect();
    await Promise.resolve();
  }
}
