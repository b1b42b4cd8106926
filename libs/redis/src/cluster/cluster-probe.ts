import type { ClusterLinks, Shard } from './cluster-links.js';
import { LinkProbe, type ProbeWay } from '../links/link-probe.js';
import { ProbeRecord } from '../links/probe-record.js';
import { describeAddress } from '../links/redis-target.js';

/** Subscriptions that probes come back over. */
export interface ProbeChannels {
  keep(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string, listener: (message: string) => void): void;
  /** Calls back with channels that are heard again after an interruption. */
  onInterruption(callback: (channels: ReadonlySet<string>) => void): void;
}

interface Probed {
  readonly probe: LinkProbe;
  readonly onMessage: (message: string) => void;
  channel?: string;
  confirmed: boolean;
}

/** A {@link LinkProbe} for the links to each master of a cluster. */
export class ClusterProbe {
  /** The result of all masters together. */
  readonly record = new ProbeRecord();
  private readonly probed = new Map<Shard, Probed>();
  private stopped = false;

  /** @param prefix start of the channels' names; a hash tag that leads to the master follows */
  constructor(
    private readonly links: ClusterLinks,
    private readonly channels: ProbeChannels,
    private readonly prefix: string,
  ) {}

  /** Begins to probe. */
  start(): void {
    this.links.onLook(() => this.follow());
    this.channels.onInterruption((heard) => {
      for (const { probe, channel } of this.probed.values()) if (heard.has(channel!)) probe.heardAgain();
    });
    this.follow();
  }

  stop(): void {
    this.stopped = true;
    for (const [shard, probed] of this.probed) this.leave(shard, probed);
  }

  /** The problem; undefined while the last proof of each link is fresh. */
  problem(): string | undefined {
    for (const { probe } of this.probed.values()) {
      const problem = probe.problem();
      if (problem) return problem;
    }
    return undefined;
  }

  /** Time since the oldest of the masters' last proofs, ms. */
  get provenAgoMs(): number {
    return Math.max(0, ...[...this.probed.values()].map(({ probe }) => probe.provenAgoMs));
  }

  /** Probes all present masters, each over a channel of its own. */
  private follow(): void {
    if (this.stopped) return;
    const { shards } = this.links;
    for (const [shard, probed] of this.probed) if (!shards.includes(shard)) this.leave(shard, probed);
    for (const shard of shards) void this.prove(shard);
  }

  private async prove(shard: Shard): Promise<void> {
    const probed = this.probed.get(shard) ?? this.open(shard);
    const tag = this.links.tagOf(shard);
    const channel = tag === undefined ? undefined : `${this.prefix}:{${tag}}`;
    if (channel === probed.channel) return;
    this.close(probed);
    if (channel === undefined) return;
    probed.channel = channel;
    await this.channels.keep(channel, probed.onMessage);
    probed.confirmed ||= probed.channel === channel;
  }

  private open(shard: Shard): Probed {
    const channel = (): string | undefined => (probed.confirmed ? probed.channel : undefined);
    const way: ProbeWay = {
      channel,
      publish: this.links.publish,
      server: describeAddress(shard.address),
    };
    const probe = new LinkProbe(shard, way, this.record);
    const probed: Probed = { probe, onMessage: (message) => probe.onMessage(message), confirmed: false };
    this.probed.set(shard, probed);
    probe.start();
    return probed;
  }

  private close(probed: Probed): void {
    if (probed.channel !== undefined) this.channels.unsubscribe(probed.channel, probed.onMessage);
    delete probed.channel;
    probed.confirmed = false;
  }

  private leave(shard: Shard, probed: Probed): void {
    probed.probe.stop();
    this.close(probed);
    this.probed.delete(shard);
    this.record.clock.forget(describeAddress(shard.address));
  }
}
