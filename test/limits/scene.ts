import { expect } from '@jest/globals';
import { WssMetricsModule } from '@wss/nest/metrics';
import { eventually, FeatureCluster, type TestClient, type TestClientOptions } from '@wss/testing';
import { Registry } from 'prom-client';
import { MillModule, YardHandlers } from './mill.js';

type ClusterOptions = Parameters<typeof FeatureCluster.start>[0];
/** The options of the node. */
export type NodeOptions = NonNullable<ClusterOptions['options']>;

/** The address of whoever meets a limit, unless they say otherwise. */
export const ADDRESS = '203.0.113.1';
const BYSTANDERS = '203.0.113.200';
/** The room in which a bystander is, as those may be who meet a limit. */
export const ROOM = 'mill:1';

/** One node, and a client of another address that must notice nothing of what others do. */
export class Scene {
  private said = 0;
  private heard = 0;

  private constructor(
    private readonly cluster: FeatureCluster,
    private readonly registry: Registry,
    private readonly bystander: TestClient,
  ) {}

  static async open(
    options: NodeOptions = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Scene> {
    const registry = new Registry();
    const cluster = await FeatureCluster.start({
      features: [MillModule, WssMetricsModule.forRoot({ registry })],
      nodes: 1,
      options: { trustedProxies: ['127.0.0.0/8'], ...options },
    });
    const from = { ...headers, 'X-Forwarded-For': BYSTANDERS };
    try {
      return new Scene(cluster, registry, await cluster.connect('bystander', { room: ROOM, headers: from }));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get port(): number {
    return Number(new URL(this.cluster.nodes[0]!.url).port);
  }

  get yard(): YardHandlers {
    return this.cluster.nodes[0]!.get(YardHandlers);
  }

  /** Connects from the address of those who meet a limit. */
  connect(user: string, options: TestClientOptions = {}): Promise<TestClient> {
    const headers = { 'X-Forwarded-For': ADDRESS, ...options.headers };
    return this.cluster.connect(user, { ...options, headers });
  }

  /** Fails unless the bystander's commands take effect, and it has heard all of its room, in order. */
  async bystanderGoesOn(): Promise<void> {
    for (let times = 0; times < 3; times++) {
      const by = -++this.said;
      await this.bystander.command('mill.turn', { by }, { room: ROOM });
      for (let heard; heard !== by;) {
        const { seq, data } = await this.bystander.event<{ by: number }>('mill.turned');
        expect(seq).toBe(++this.heard);
        heard = data!.by;
      }
    }
    expect(this.bystander.frames.filter(({ event, error }) => error || event === 'error')).toEqual([]);
  }

  /** The sum of a metric such as `wss_commands_total{outcome="limit"}` over the labels that it leaves open. */
  async counted(selector: string): Promise<number> {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(selector)!;
    const wanted = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(
      ([, label, value]) => [label!, value!] as const,
    );
    const metric = await this.registry.getSingleMetric(name!)?.get();
    if (!metric) throw new Error(`no metric has the name ${name}`);
    return metric.values
      .filter((each) => wanted.every(([label, value]) => each.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** Waits until something is so. */
  until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    return eventually(async () => expect(await isSo()).toBe(true), { withinMs: 20_000 });
  }

  close(): Promise<void> {
    return this.cluster.stop();
  }
}

/** Sends a command with others of the same connection before and after it, which must succeed; returns its reply's code. */
export async function codeAmid(
  client: TestClient,
  ...[event, data, options]: Parameters<TestClient['request']>
): Promise<string> {
  const [before, reply, after] = await Promise.all([
    client.request('yard.look', { by: 1 }),
    client.request(event, data, options),
    client.request('yard.look', { by: 2 }),
  ]);
  expect([before.data, after.data]).toEqual([1, 2]);
  const { error } = reply;
  if (error?.code === 'rate_limited') {
    const [detail] = error.details as { retryInMs?: number }[];
    expect(detail!.retryInMs).toBeGreaterThan(0);
    expect(error.retry).toBe(true);
  }
  return error?.code ?? 'ok';
}

/** Fails unless the connection goes on: it is in a room, commands in it, and hears it. */
export async function goesOn(client: TestClient): Promise<void> {
  const room = ROOM;
  expect(await client.command('yard.look', { by: 7 })).toBe(7);
  await client.command('mill.turn', { by: 8 }, { room });
  expect(client.socket.readyState).toBe(client.socket.OPEN);
}
