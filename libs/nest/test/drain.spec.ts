import { afterEach, describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import {
  Global,
  type INestApplication,
  Injectable,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { SubscribeMessage } from '@nestjs/websockets';
import { Cluster, NodeDrain, Readiness, WssModule } from '@wss/nest';
import { JOB_SETTINGS } from '@wss/cluster';
import { TestClient } from '@wss/testing';
import { PollModule } from './poll.js';
import { createApp, PLATFORMS, socketUrl, startApp } from './test-app.js';

const FOREVER = 600_000;

let app: INestApplication | undefined;
afterEach(() => app?.close());

/** A database that handlers use. */
@Injectable()
class Database implements OnApplicationShutdown {
  open = true;

  onApplicationShutdown(): void {
    this.open = false;
  }
}

/** A command that ends when the test says so. */
@Injectable()
class SlowHandlers {
  begin: () => void = () => undefined;
  readonly begun = new Promise<void>((resolve) => (this.begin = resolve));
  finish: () => void = () => undefined;
  private readonly finished = new Promise<void>((resolve) => (this.finish = resolve));

  constructor(private readonly database: Database) {}

  @SubscribeMessage('slow.work')
  async work(): Promise<boolean> {
    this.begin();
    await this.finished;
    return this.database.open;
  }
}

@Module({ providers: [Database, SlowHandlers] })
class SlowModule {}

/** A job that does not end before the test does. */
@Injectable()
class EndlessJobs implements OnApplicationShutdown {
  begin: () => void = () => undefined;
  readonly begun = new Promise<void>((resolve) => (this.begin = resolve));
  private finish: () => void = () => undefined;
  private readonly finished = new Promise<void>((resolve) => (this.finish = resolve));

  @EventPattern('endless.work', { group: 'endless' })
  async work(@Payload() _data: unknown): Promise<void> {
    this.begin();
    await this.finished;
  }

  onApplicationShutdown(): void {
    this.finish();
  }
}

/** Jobs alone would be waited for longer than the test lasts. */
@Global()
@Module({
  providers: [EndlessJobs, { provide: JOB_SETTINGS, useValue: { drainMs: FOREVER } }],
  exports: [JOB_SETTINGS],
})
class EndlessModule {}

describe.each(PLATFORMS)('the close of an application on %s', (platform) => {
  const start = async (drain: object): Promise<INestApplication> =>
    (app = await startApp(platform, { auth: 'none', drain }, [PollModule, SlowModule]));
  const connect = async (): Promise<TestClient> =>
    TestClient.connect(await socketUrl(app!), { protocols: ['wss.v1'] });

  it('refuses with 503 until nothing listens any more, so that clients come back', async () => {
    await start({ windowMs: 0 });
    const adapter = app!.getHttpAdapter();
    const http = app!.getHttpServer() as Server;
    const close = adapter.close.bind(adapter);
    const late: unknown[] = [];
    // Nest closes the HTTP server last; until then the port takes connections.
    adapter.close = async () => {
      late.push(await connect().catch((error: unknown) => error));
      await close();
    };
    await app!.close();
    expect(late).toMatchObject([{ status: 503 }]);
    expect(http.listenerCount('upgrade')).toBe(0);
  });

  it('closes all clients with 1012, each told when to come back', async () => {
    await start({ windowMs: 100 });
    const clients = await Promise.all(Array.from({ length: 5 }, connect));
    await app!.close();
    for (const client of clients) {
      expect((await client.closed).code).toBe(1012);
      const notice = client.frames.find(({ event }) => event === '$notice');
      expect(notice?.data).toEqual({ reconnectInMs: expect.any(Number) });
    }
  });

  it('answers a command under way first, while what it uses is still open', async () => {
    await start({ windowMs: 0 });
    const [client, idle] = [await connect(), await connect()];
    const slow = app!.get(SlowHandlers, { strict: false });
    const answer = client.request('slow.work', {});
    await slow.begun;
    const closing = app!.close();
    expect((await idle.closed).code).toBe(1012);
    slow.finish();
    expect(await answer).toMatchObject({ data: true });
    expect((await client.closed).code).toBe(1012);
    await closing;
    expect(app!.get(Database, { strict: false }).open).toBe(false);
  });

  it('is unready and refuses new clients while the others stay, until it is hurried', async () => {
    await start({ delayMs: FOREVER, windowMs: FOREVER, timeoutMs: FOREVER });
    const client = await connect();
    const url = await socketUrl(app!);
    const closing = app!.close();
    await waitFor(() => isUnready(app!));
    await expect(TestClient.connect(url)).rejects.toMatchObject({ status: 503 });
    await client.command('$ping', {});
    app!.get(NodeDrain, { strict: false }).hurry();
    expect((await client.closed).code).toBe(1012);
    await closing;
  });

  it('ends in time, whatever clients do', async () => {
    await start({ delayMs: FOREVER, windowMs: FOREVER, timeoutMs: 300 });
    const client = await connect();
    client.socket.pause();
    await app!.close();
    client.socket.resume();
    expect([1006, 1012]).toContain((await client.closed).code);
  });

  it.each([
    ['until the time is over', { timeoutMs: 300 }, false],
    ['until it is hurried', { timeoutMs: FOREVER }, true],
  ])('keeps clients for a job that does not end only %s', async (_, drain, isHurried) => {
    app = await startApp(platform, { auth: 'none', drain: { windowMs: 0, ...drain } }, [EndlessModule]);
    const client = await connect();
    await app.get(Cluster, { strict: false }).one('endless').emit('endless.work', {});
    const jobs = app.get(EndlessJobs, { strict: false });
    await jobs.begun;
    const closing = app.close();
    await waitFor(() => isUnready(app!));
    if (isHurried) app.get(NodeDrain, { strict: false }).hurry();
    expect((await client.closed).code).toBe(1012);
    await closing;
  });

  it('does not wait for a balancer when the start failed', async () => {
    const failed = await createApp(platform, [
      WssModule.forRoot({ auth: 'none', drain: { delayMs: FOREVER, timeoutMs: FOREVER } }),
    ]);
    await expect(failed.init()).rejects.toThrow('WssModule has no WebSocket');
    await failed.close();
  });
});

function isUnready(of: INestApplication): boolean {
  return of.get(Readiness, { strict: false }).problems().includes('the node is shutting down');
}

async function waitFor(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
