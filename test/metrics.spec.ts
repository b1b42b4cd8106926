import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { AsyncApiDocument } from '@wss/nest/contract';
import { eventually, freePort, GatewayCluster, GatewayNode, rawUpgrade, TestClient } from '@wss/testing';

const TOKEN = 'a token of more than 32 characters';

/** Values by name and labels, as they stand in the text. */
type Values = ReadonlyMap<string, number>;

function parse(text: string): Values {
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))] as const;
    }),
  );
}

async function managementUrl(node: GatewayNode): Promise<string> {
  const [, url] = await node.waitForLine(/^ +metrics +(http:\S+\/metrics)$/);
  return url!;
}

describe('metrics', () => {
  let cluster: GatewayCluster;
  beforeAll(async () => {
    cluster = await GatewayCluster.start({ nodes: 2, proxied: true });
  });
  afterAll(() => cluster?.stop());

  const textOf = async (node: number): Promise<string> =>
    (await fetch(await managementUrl(cluster.nodes[node]!))).text();
  const read = async (node: number): Promise<Values> => parse(await textOf(node));

  it('tell what clients, rooms, commands and commits there were', async () => {
    const room = `counter:${randomUUID()}`;
    const [ann, bob] = [
      await TestClient.connect(cluster.nodes[0]!.url, { user: 'ann', protocols: ['wss.v1'] }),
      await TestClient.connect(cluster.nodes[1]!.url, { user: 'bob' }),
    ];
    for (const client of [ann, bob]) await client.join(room);
    for (let n = 1; n <= 5; n++) await ann.command('counter.add', { by: 1 }, { room, n, ack: n - 1 });
    await ann.request('counter.add', { by: 'x' }, { room });
    await ann.request('no.such', {});
    await ann.request(`made.up.${randomUUID()}`, {});
    await rawUpgrade(cluster.nodes[0]!.port, '/', { Origin: 'https://evil' });
    // R26: a refused connection is not announced as a client.
    await rawUpgrade(cluster.nodes[0]!.port, '/', { 'Sec-WebSocket-Key': undefined });
    for (let seq = 1; seq <= 5; seq++) await bob.event('counter.added');

    const [mine, theirs] = [await read(0), await read(1)];
    expect(mine.get('wss_clients')).toBe(1);
    expect(mine.get('wss_rooms')).toBe(1);
    for (const name of ['wss_ready', 'wss_engine_up', 'wss_lease_held']) expect(mine.get(name)).toBe(1);
    expect(mine.get('wss_commands_total{event="counter.add",outcome="ok"}')).toBe(5);
    expect(mine.get('wss_commands_total{event="counter.add",outcome="invalid"}')).toBe(1);
    expect(mine.get('wss_commands_total{event="$join",outcome="ok"}')).toBe(1);
    expect(mine.get('wss_commands_total{event="unknown",outcome="unknown_event"}')).toBe(2);
    expect(mine.get('wss_command_duration_seconds_count{event="counter.add"}')).toBe(6);
    expect(mine.get('wss_commit_batches_total{outcome="committed"}')).toBe(5);
    expect(mine.get('wss_commit_batch_commands_sum')).toBeGreaterThanOrEqual(5);
    expect(mine.get('wss_upgrades_total{status="101"}')).toBe(1);
    expect(mine.get('wss_upgrades_total{status="403"}')).toBe(1);
    expect(mine.get('wss_upgrades_total{status="400"}')).toBe(1);
    expect(theirs.get('wss_deliveries_total{kind="log"}')).toBe(5);
    await Promise.all([ann.close(), bob.close()]);
    await eventually(async () => expect((await read(0)).get('wss_client_closes_total{code="1000"}')).toBe(1));
  });

  it('have no label that a client makes up, and names as Prometheus wants them', async () => {
    const made = `evil.${randomUUID()}`;
    const room = `chat:${randomUUID()}`;
    const client = await TestClient.connect(cluster.nodes[0]!.url, { user: made });
    await client.request(made, { text: made }, { room });
    await client.join(room);
    await client.close(4321, made);
    const text = await eventually(async () => {
      const present = await textOf(0);
      expect(present).toContain('code="other"');
      return present;
    });
    expect(text).not.toContain(made);
    expect(text).not.toContain(room);
    const types = [...text.matchAll(/^# TYPE (wss_\S+) (\w+)$/gm)].map(([, name, type]) => ({
      name: name!,
      type,
    }));
    expect(types.length).toBeGreaterThan(10);
    for (const { name, type } of types) {
      expect(name).toMatch(/^wss(_[a-z]+)+$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(text).toContain(`# HELP ${name} `);
    }
  });

  it('tell of gaps that were repaired and of links that are gone', async () => {
    const room = `counter:${randomUUID()}`;
    const [writer, reader] = [
      await TestClient.connect(cluster.nodes[0]!.url),
      await TestClient.connect(cluster.nodes[1]!.url),
    ];
    await reader.join(room);
    await writer.join(room);
    await cluster.proxies[1]!.setMode('cut');
    await eventually(async () => expect((await read(1)).get('wss_engine_up')).toBe(0), { withinMs: 20_000 });
    expect((await read(1)).get('wss_ready')).toBe(0);
    for (let i = 0; i < 3; i++) await writer.command('counter.add', { by: 1 }, { room });
    await cluster.proxies[1]!.setMode('pass');
    for (let seq = 1; seq <= 3; seq++)
      expect(await reader.event('counter.added', 20_000)).toMatchObject({ seq });
    const values = await read(1);
    expect(values.get('wss_gap_repairs_total{outcome="ok"}')).toBeGreaterThan(0);
    expect(values.get('wss_gap_repaired_events_total')).toBeGreaterThanOrEqual(3);
    await Promise.all([writer.close(), reader.close()]);
  });

  it('tell of links that were deaf, of the probes that found them, and of links that are up', async () => {
    const links = (values: Values): unknown[] =>
      ['commands', 'subscriber'].flatMap((role) =>
        ['links', 'links_up'].map((name) => values.get(`wss_${name}{role="${role}"}`)),
      );
    await eventually(
      async () => {
        const values = await read(1);
        expect(values.get('wss_link_probes_total{outcome="answered"}')).toBeGreaterThan(0);
        expect(links(values)).toEqual([1, 1, 1, 1]);
      },
      { withinMs: 20_000 },
    );
    cluster.proxies[1]!.deafenNow();
    const healed = await eventually(
      async () => {
        const values = await read(1);
        expect(values.get('wss_links_replaced_total{role="commands",cause="mute"}')).toBeGreaterThan(0);
        expect(values.get('wss_links_replaced_total{role="subscriber",cause="deaf"}')).toBeGreaterThan(0);
        expect(values.get('wss_ready')).toBe(1);
        return values;
      },
      { withinMs: 30_000 },
    );
    expect(healed.get('wss_link_probes_total{outcome="missed"}')).toBeGreaterThan(0);
    expect(links(healed)).toEqual([1, 1, 1, 1]);
    await cluster.proxies[1]!.setMode('cut');
    await eventually(async () => expect(links(await read(1))).toEqual([1, 0, 1, 0]), { withinMs: 20_000 });
    await cluster.proxies[1]!.setMode('pass');
  });

  it('can be read while the node lets its clients go', async () => {
    const node = await cluster.addNode({ DRAIN_DELAY_MS: '600000', SHUTDOWN_TIMEOUT_MS: '600000' });
    const url = await managementUrl(node);
    const client = await TestClient.connect(node.url);
    client.socket.pause();
    node.signal('SIGTERM');
    await eventually(async () => expect(parse(await (await fetch(url)).text()).get('wss_ready')).toBe(0));
    client.socket.resume();
    node.signal('SIGTERM');
    expect((await client.closed).code).toBe(1012);
    expect((await node.exited).code).toBe(0);
  });
});

describe('the management port', () => {
  it('is closed outside of development unless it is asked for, and needs a token', async () => {
    const secret = { AUTH: '', JWT_SECRET: TOKEN };
    const closed = await GatewayNode.start({ env: secret });
    expect(closed.output.join('\n')).not.toContain('/metrics');
    await closed.stop();
    await expect(GatewayNode.start({ env: { ...secret, MANAGEMENT_PORT: '0' } })).rejects.toThrow(
      'MANAGEMENT_PORT needs a MANAGEMENT_TOKEN',
    );
    const port = await freePort();
    const node = await GatewayNode.start({
      env: { ...secret, MANAGEMENT_PORT: String(port), MANAGEMENT_TOKEN: TOKEN },
    });
    const url = `http://127.0.0.1:${port}/metrics`;
    const answers = [
      await fetch(url),
      await fetch(url, { headers: { Authorization: 'Bearer wrong' } }),
      await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } }),
      await fetch(`http://127.0.0.1:${port}/`, { headers: { Authorization: `Bearer ${TOKEN}` } }),
      await fetch(new URL('metrics', node.httpUrl)),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 200, 404, 404]);
    expect(answers[0]!.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answers[2]!.text()).toContain('wss_clients 0');
    const contract = `http://127.0.0.1:${port}/asyncapi.json`;
    expect((await fetch(contract)).status).toBe(401);
    const answer = await fetch(contract, { headers: { Authorization: `Bearer ${TOKEN}` } });
    expect(answer.headers.get('content-type')).toContain('application/json');
    const { info, components } = (await answer.json()) as AsyncApiDocument;
    expect(info.title).toBe('wss gateway');
    // The doc comment of a field, by the plugin that the build uses.
    expect(components.schemas.MoveCard).toMatchObject({
      properties: { to: { description: '0-based; beyond the end means the end.' } },
    });
    expect(node.output.join('\n')).not.toContain(TOKEN);
    await node.stop();
  });
});
