import { afterEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Controller, Get, Module } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Readiness } from '@wss/nest';
import { ContractExplorer, ContractModule } from '@wss/nest/contract';
import { WssHealthIndicator, WssHealthModule } from '@wss/nest/health';
import { WssMetricsModule } from '@wss/nest/metrics';
import { freePort, TestClient } from '@wss/testing';
import { Counter, Registry } from 'prom-client';
import { readFileSync } from 'node:fs';
import { PollModule } from './poll.js';
import { get, PLATFORMS, socketUrl, startApp } from './test-app.js';

let app: INestApplication | undefined;
afterEach(() => app?.close());

const TOKEN = 'a token of more than 32 characters';

async function vote(): Promise<void> {
  const client = await TestClient.connect(await socketUrl(app!), { user: 'ann' });
  await client.join('poll:1');
  await client.command('poll.vote', { option: 'tea' }, { room: 'poll:1' });
  await client.close();
}

describe.each(PLATFORMS)('on %s', (platform) => {
  it('@wss/nest/metrics counts into a registry of the application', async () => {
    const registry = new Registry();
    const own = new Counter({ name: 'own_total', help: 'mine', registers: [registry] });
    own.inc();
    app = await startApp(platform, { auth: 'none' }, [WssMetricsModule.forRoot({ registry }), PollModule]);
    await vote();
    const text = await registry.metrics();
    for (const line of [
      'own_total 1',
      'wss_commands_total{event="poll.vote",outcome="ok"} 1',
      'wss_commit_batches_total{outcome="committed"} 1',
      'wss_ready 1',
      'wss_lease_held 1',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain('process_cpu');
  });

  it('@wss/nest/metrics has a server of its own, with a token', async () => {
    const port = await freePort();
    const server = { port, token: TOKEN };
    app = await startApp(platform, { auth: 'none' }, [WssMetricsModule.forRoot({ server }), PollModule]);
    await vote();
    const url = `http://127.0.0.1:${port}/metrics`;
    expect((await fetch(url)).status).toBe(401);
    const shown = await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } });
    const text = await shown.text();
    expect(text).toContain('wss_upgrades_total{status="101"} 1');
    expect(text).toContain('process_cpu');
    await app.close();
    await expect(fetch(url)).rejects.toThrow();
  });

  it('@wss/nest/health serves liveness and readiness', async () => {
    app = await startApp(platform, { auth: 'none' }, [WssHealthModule]);
    const readiness = app.get(Readiness, { strict: false });
    expect(await get(app, 'health/live')).toEqual({ status: 'ok', nodeId: readiness.nodeId });
    expect(await get(app, 'health/ready')).toMatchObject({
      status: 'ok',
      details: { node: { status: 'up' }, lease: { status: 'up' } },
    });
    readiness.add('database', () => 'the database is away');
    const response = await fetch(new URL('health/ready', await app.getUrl()));
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { details: { database: { status: 'down' } } },
    ]);
  });

  it('@wss/nest/health has an indicator for a health controller of the application', async () => {
    @Controller('status')
    class StatusController {
      constructor(
        private readonly health: HealthCheckService,
        private readonly wss: WssHealthIndicator,
      ) {}

      @Get()
      check(): object {
        return this.health.check([() => this.wss.isReady()]);
      }
    }
    @Module({
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [StatusController],
      providers: [WssHealthIndicator],
    })
    class StatusModule {}
    app = await startApp(platform, { auth: 'none' }, [StatusModule]);
    expect(await get(app, 'status')).toMatchObject({ status: 'ok', details: { wss: { status: 'up' } } });
    app.get(Readiness, { strict: false }).add('queue', () => 'the queue is full');
    expect(await get(app, 'status')).toMatchObject({
      status: 'error',
      details: { wss: { status: 'down', message: 'the queue is full' } },
    });
    expect((await fetch(new URL('health/ready', await app.getUrl()))).status).toBe(404);
  });

  it('@wss/nest/contract reads the contract of the application', async () => {
    app = await startApp(platform, { auth: 'none' }, [ContractModule, PollModule]);
    const { commands, rooms } = app.get(ContractExplorer, { strict: false }).contract();
    expect(commands.map(({ event }) => event)).toEqual(['who.am-i']);
    expect(rooms).toMatchObject([{ type: 'poll', commands: [{ event: 'poll.vote' }], documents: [{}] }]);
  });
});

it('the main entry loads neither prom-client nor terminus', () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const read = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, name] of readFileSync(new URL(file), 'utf8').matchAll(/from '([^']+)'/g)) {
      if (name!.startsWith('.')) read(new URL(name!.replace(/\.js$/, '.ts'), file).href);
      else if (name!.startsWith('@wss/'))
        read(new URL(`../../${name!.slice(5)}/src/index.ts`, import.meta.url).href);
      else packages.add(name!);
    }
  };
  read(new URL('../src/index.ts', import.meta.url).href);
  expect(seen.size).toBeGreaterThan(150);
  expect([...packages].filter((name) => /prom-client|terminus/.test(name))).toEqual([]);
});
