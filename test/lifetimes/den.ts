import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  clusterOnServers,
  eventually,
  FeatureCluster,
  type KeptState,
  keptState,
  keptSurplus,
  Random,
  RedisClusterServers,
  RedisServer,
  TcpProxy,
  type TestClient,
} from '@wss/testing';
import { DenModule, KEPT_ROOMS } from './den.feature.js';
import { type Tokens, Visitor } from './visitor.js';

const SESSION_TTL_MS = 2_000;
/**
 * Rooms and users linger, sessions end, and nodes see one history of the engine for two leases, from anew when a stall
 * of the machine broke it; then nothing may be left.
 */
export const SETTLED_WITHIN_MS = 60_000;
/** Visitors at a time. */
const AT_ONCE = 20;
/** Caches that stay warm when everybody has gone, with the most entries that each may have. */
export const CACHES = {
  'Committer.rooms': 2_000,
  'RoomTable.rows': Infinity,
  // The engine's clock when it was read last, of each of at most three servers.
  'EngineTime.last': 2,
  'EngineClock.watches': 3,
  'ClockWatch.known': 4,
  // Links that a probe replaced, by their kind and the reason: on a machine that stalls, some are.
  'ProbeRecord.byName': 6,
  // Kinds of faults within the last minute.
  'LogGate.told': 100,
  // Answered commands, until the next one is sent.
  'PatientRedis.underWay': 1_100,
};

/** Where the nodes of a den keep their data. */
export type DenEngine = 'memory' | 'redis' | 'redis cluster';

/** State that the nodes and the engine keep. */
interface Kept {
  readonly nodes: readonly KeptState[];
  /** Keys without an expiry, with how much collections hold, and channels with a subscriber. */
  readonly engine: KeptState;
}

/** Two nodes and their engine, whose state can be compared with what it was before anybody came. */
export class Den {
  private before!: Kept;
  /** They stay connected, and are in no room when they have done what they do. */
  private readonly residents: TestClient[] = [];

  private constructor(
    readonly cluster: FeatureCluster,
    /** Links to all masters of the engine. */
    private readonly masters: readonly Redis[],
    private readonly proxy?: TcpProxy,
  ) {}

  static async open(engine: DenEngine): Promise<Den> {
    const options = {
      features: [DenModule],
      nodes: 2,
      options: { session: { ttlMs: SESSION_TTL_MS }, presence: { graceMs: 300 } },
    };
    if (engine === 'memory') return new Den(await FeatureCluster.start(options), []).warmed();
    const servers =
      engine === 'redis' ? await RedisServer.start() : await RedisClusterServers.start({ masters: 3 });
    const all = 'servers' in servers ? servers.servers : [servers];
    const proxy = engine === 'redis' ? await TcpProxy.start({ to: all[0]!.port }) : undefined;
    const masters = all.map(({ port }) => new Redis({ port }));
    const stop = async (): Promise<void> => {
      for (const redis of masters) redis.disconnect();
      await proxy?.stop();
      await servers.stop();
    };
    const url = (proxy ?? servers).url;
    return new Den(await clusterOnServers({ url, stop }, options), masters, proxy).warmed();
  }

  /** How late the engine's answers are, ms for each way. */
  set latencyMs(ms: number) {
    if (this.proxy) this.proxy.latencyMs = ms;
  }

  /** Lets so many visitors come and go. */
  async visit(count: number, random: Random): Promise<void> {
    const tokens: Tokens = [];
    const urls = this.cluster.nodes.map(({ url }) => url);
    let left = count;
    const next = async (): Promise<void> => {
      while (left-- > 0) await new Visitor(random.fork(), urls, tokens, []).live(8 + random.below(16));
    };
    const residents = this.residents.map(({ socket }) =>
      new Visitor(random.fork(), urls, tokens, []).reside(socket, 2 * count),
    );
    // Of callers that wait for a slow engine, more exist at a time.
    const atOnce = this.proxy && this.proxy.latencyMs > 100 ? 2 * AT_ONCE : AT_ONCE;
    await Promise.all([...residents, ...Array.from({ length: Math.min(atOnce, count) }, next)]);
  }

  /** Resolves when everything is as it was before the first visitor; fails with what is left. */
  async expectNothingLeft(withinMs = SETTLED_WITHIN_MS): Promise<void> {
    const nothingIsLeft = async (): Promise<void> => {
      const surplus = this.surplus(await this.kept());
      if (surplus.length > 0) throw new Error(`left:\n${surplus.join('\n')}`);
    };
    await eventually(nothingIsLeft, { withinMs, everyMs: 250 });
  }

  /** State in excess of that before the first visitor. */
  private surplus({ nodes, engine }: Kept): string[] {
    const onNodes = nodes.map((node, i) => keptSurplus(this.before.nodes[i]!, node));
    return [...onNodes.flat(), ...folded(keptSurplus(this.before.engine, engine))];
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
  }

  /** Everything that comes into being once, does. */
  private async warmed(): Promise<this> {
    for (const node of [0, 1]) {
      const client = await this.cluster.connect('u0', { node, protocols: ['wss.v1'] });
      this.residents.push(client);
      const rooms = [...KEPT_ROOMS, 'vault:0', 'hall:0', 'den:0'];
      for (const room of rooms) await client.join(room, { state: true });
      for (const room of KEPT_ROOMS) await client.command('den.mark', {}, { room, n: 1 });
      for (const room of rooms) await client.command('$leave', {}, { room });
      // Nodes read what others know once.
      await client.request('den.unknown', {}, { room: 'den:0' });
    }
    await eventually(
      async () => {
        this.before = await this.kept();
        for (const node of this.before.nodes) {
          const rooms = ['NodePresence.rooms', 'RoomDelivery.rooms'].map((place) => node.get(place));
          expect(rooms).toEqual([undefined, undefined]);
          expect(node.get('PresenceWatch.leaseEnds')).toBe(2);
        }
        expect([...this.before.engine.keys()].filter((key) => /\}:p|:w:/.test(key))).toEqual([]);
      },
      { withinMs: SETTLED_WITHIN_MS },
    );
    return this;
  }

  private async kept(): Promise<Kept> {
    const nodes = this.cluster.nodes.map((node) => keptState(node.app, { caches: CACHES }));
    return { nodes, engine: new Map((await Promise.all(this.masters.map(keptIn))).flat()) };
  }
}

/** Keys that stay for good, with how much collections hold, and channels. */
async function keptIn(redis: Redis): Promise<[string, number][]> {
  const keys = (await redis.keys('*')).filter((key) => !isOfKeptRoom(key));
  const ttls = await all(
    redis,
    keys.map((key) => ['pttl', key]),
  );
  const forGood = keys.filter((_, i) => ttls[i] === -1);
  const types = await all(
    redis,
    forGood.map((key) => ['type', key]),
  );
  // The end of a session may be claimed for a minute by a node whose link failed meanwhile.
  const soon = String(Date.now() + 5_000);
  const sizes = await all(
    redis,
    forGood.map((key, i) =>
      types[i] === 'zset' ? ['zcount', key, '-inf', soon] : [SIZE_OF[String(types[i])] ?? 'exists', key],
    ),
  );
  const lists = await all(redis, [
    ['pubsub', 'CHANNELS'],
    ['pubsub', 'SHARDCHANNELS'],
  ]);
  const channels = (lists as string[][]).flat();
  return [
    ...forGood.map((key, i): [string, number] => [key, Number(sizes[i])]),
    ...channels.map((channel): [string, number] => [`channel ${channel}`, 1]),
  ];
}

const SIZE_OF: Readonly<Record<string, string>> = { set: 'scard', hash: 'hlen', list: 'llen' };

/** True if a key belongs to a room whose type keeps commits for good; nothing of other rooms stays. */
function isOfKeptRoom(key: string): boolean {
  return KEPT_ROOMS.some((room) => key.startsWith(`wss:{${room}}:`));
}

async function all(redis: Redis, commands: string[][]): Promise<unknown[]> {
  return ((await redis.pipeline(commands).exec()) ?? []).map(([, result]) => result);
}

/** Keys and channels of rooms of one kind are reported once, with an example. */
function folded(surplus: readonly string[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const key of surplus) {
    const kind = key.replace(/\{([a-z]+):[^}]*\}/, '{$1:…}');
    kinds.set(kind, [...(kinds.get(kind) ?? []), key]);
  }
  return [...kinds].map(([kind, [example, ...more]]) => `${kind}: ${1 + more.length}, as ${example}`);
}
