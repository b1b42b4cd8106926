import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  ForbiddenException,
  Global,
  HttpException,
  type INestApplication,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  ServiceUnavailableException,
  type Type,
  UnauthorizedException,
} from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import {
  Admission,
  type Admitted,
  Cluster,
  Presence,
  Readiness,
  Rooms,
  UpgradeRefusal,
  useWss,
  WssModule,
} from '@wss/nest';
import { ClusterTransport, RoomFeed } from '@wss/cluster';
import { CommandRouter, Hub, NodeIdentity } from '@wss/messaging';
import { Committer, RoomStore } from '@wss/state';
import { eventually, RedisServer, TestClient } from '@wss/testing';
import { SignJWT } from 'jose';
import { PollModule } from './poll.js';
import { createApp, get, PLATFORMS, post, socketUrl, startApp } from './test-app.js';

const apps: INestApplication[] = [];
const clients: TestClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const kept = (app: INestApplication): INestApplication => {
  apps.push(app);
  return app;
};
const connect = async (app: INestApplication, user: string, path?: string): Promise<TestClient> => {
  const client = await TestClient.connect(await socketUrl(app, path), { user });
  clients.push(client);
  return client;
};

describe.each(PLATFORMS)('a user application on %s', (platform) => {
  it('serves its room, and REST writes into it, on the embedded engine', async () => {
    const app = kept(await startApp(platform, { path: '/live', auth: 'none' }, [PollModule]));
    const ann = await connect(app, 'ann', '/live');
    await ann.join('poll:1', { state: true });
    expect(await ann.command('poll.vote', { option: 'tea' }, { room: 'poll:1' })).toEqual({ votes: 1 });
    expect(await post(app, 'polls/1/votes', { user: 'bob', option: 'milk' })).toEqual({ votes: 2 });
    expect(await post(app, 'polls/1/notes', { user: 'cid', option: 'none' })).toEqual({ seq: 3 });
    const events = [
      await ann.event('poll.voted'),
      await ann.event('poll.voted'),
      await ann.event('poll.voted'),
    ];
    expect(events.map(({ seq, data }) => [seq, (data as { user: string }).user])).toEqual([
      [1, 'ann'],
      [2, 'bob'],
      [3, 'cid'],
    ]);
    expect(await get(app, 'polls/1')).toEqual({ votes: { ann: 'tea', bob: 'milk' }, members: ['ann'] });
  });

  describe('with a Redis', () => {
    let redis: RedisServer;
    beforeAll(async () => void (redis = await RedisServer.start()));
    afterAll(() => redis?.stop());

    it('writes by REST on one node what members see on the other', async () => {
      const options = { auth: 'none', redis: { url: redis.url, namespace: platform } } as const;
      const [one, two] = [
        kept(await startApp(platform, options, [PollModule])),
        kept(await startApp(platform, options, [PollModule])),
      ];
      const room = `poll:${randomUUID()}`;
      const id = room.slice('poll:'.length);
      const ann = await connect(two, 'ann');
      await ann.join(room, { state: true });
      const votes = Array.from({ length: 20 }, (_, i) =>
        post([one, two][i % 2]!, `polls/${id}/votes`, { user: `u${i}`, option: 'tea' }),
      );
      await Promise.all(votes);
      const seen = new Set<unknown>();
      for (let seq = 1; seq <= 20; seq++) {
        const event = await ann.event('poll.voted');
        expect(event).toMatchObject({ seq, room });
        seen.add((event.data as { user: string }).user);
      }
      expect(seen.size).toBe(20);
      for (const app of [one, two]) {
        expect(await get(app, `polls/${id}`)).toMatchObject({ members: ['ann'] });
        expect(Object.keys(((await get(app, `polls/${id}`)) as { votes: object }).votes)).toHaveLength(20);
        expect(await get(app, 'polls/nodes')).toHaveLength(2);
      }
    });

    it('leaves nothing behind when it is closed', async () => {
      const app = await startApp(platform, { auth: 'none', redis: redis.url }, [PollModule]);
      expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(1);
      await app.close();
      expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0);
      expect(await redis.cli('CLIENT', 'LIST')).not.toContain('name=wss-');
    });
  });
});

describe('the options', () => {
  /** Like a configuration module: its values exist some time after the start. */
  @Injectable()
  class Settings {
    static path = '/live';
    readonly path = Settings.path;
    readonly users = ['ann'];
  }
  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  it('may come from a factory with providers of other modules', async () => {
    const node = WssModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async ({ path }: Settings) => {
        await new Promise((resolve) => setImmediate(resolve));
        return { path, auth: 'none' };
      },
    });
    const app = kept(useWss(await createApp('express', [PollModule, node])));
    await app.listen(0, '127.0.0.1');
    const ann = await connect(app, 'ann', '/live');
    expect(await ann.command('who.am-i', {})).toEqual({ user: 'ann', claims: {}, frozen: true });
    await expect(connect(app, 'ann', '/')).rejects.toMatchObject({ status: 404 });
  });

  it('may differ between two applications of one process', async () => {
    const [one, two] = await Promise.all(
      ['/one', '/two'].map((path) =>
        createApp('fastify', [WssModule.forRoot({ path, auth: 'none' }), PollModule]),
      ),
    );
    for (const app of [one!, two!]) useWss(kept(app));
    for (const app of [two!, one!]) await app.listen(0, '127.0.0.1');
    await connect(one!, 'ann', '/one');
    await connect(two!, 'ann', '/two');
    await expect(connect(one!, 'ann', '/two')).rejects.toMatchObject({ status: 404 });
  });

  it('may differ between two applications of one class', async () => {
    @Module({
      imports: [
        WssModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: ({ path }: Settings) => ({ path, auth: 'none' }),
        }),
      ],
    })
    class AppModule {}
    const create = async (path: string): Promise<INestApplication> => {
      Settings.path = path;
      return kept(await NestFactory.create(AppModule, { logger: false, abortOnError: false }));
    };
    const [one, two] = [await create('/one'), await create('/two')];
    for (const app of [one, two]) useWss(app);
    for (const app of [one, two]) await app.listen(0, '127.0.0.1');
    await connect(one, 'ann', '/one');
    await connect(two, 'ann', '/two');
  });

  it('name everything that is wrong with them when the application is created', async () => {
    const bad = { path: 'live', auth: { jwt: {} }, drain: { delay: 3 }, orgins: [] } as never;
    await expect(createApp('express', [WssModule.forRoot(bad)])).rejects.toThrow(
      /^bad options of WssModule:\n {2}path must be.*\n {2}auth\.jwt needs one of.*\n {2}drain\.delay is not an option.*\n {2}orgins is not an option/,
    );
  });
});

describe('admission', () => {
  @Injectable()
  class Guests {
    readonly names = new Set(['ann', 'bob']);
  }
  @Module({ providers: [Guests], exports: [Guests] })
  class GuestsModule {}

  @Injectable()
  class ListAdmission extends Admission {
    constructor(private readonly guests: Guests) {
      super();
    }

    admit(_request: IncomingMessage, url: URL): Admitted {
      const user = url.searchParams.get('user') ?? '';
      if (!this.guests.names.has(user)) throw new UpgradeRefusal(401, 'you are not on the list');
      return { user, claims: { plan: 'gold', seats: [1] } };
    }
  }

  const listed = (): ReturnType<typeof WssModule.forRootAsync> =>
    WssModule.forRootAsync({
      imports: [GuestsModule],
      useFactory: () => ({ auth: { use: ListAdmission }, origins: ['https://app.example'] }),
    });

  it('may be a class of the application, with dependencies', async () => {
    const app = kept(useWss(await createApp('express', [listed(), PollModule])));
    await app.listen(0, '127.0.0.1');
    const ann = await connect(app, 'ann');
    expect(await ann.command('who.am-i', {})).toEqual({
      user: 'ann',
      claims: { plan: 'gold', seats: [1] },
      frozen: true,
    });
    await expect(connect(app, 'eve')).rejects.toMatchObject({ status: 401 });
    const renewal = await ann.request('$auth', { token: 'any' });
    expect(renewal.error).toMatchObject({ code: 'unauthenticated' });
  });

  it.each([
    undefined,
    {},
    { user: '' },
    { user: 42 },
    { user: 'two\nlines' },
    { user: 'x'.repeat(129) },
    { user: 'ann', expiresAt: new Date() },
    { user: 'ann', expiresAt: Number.NaN },
    { user: 'ann', claims: 'admin' },
    { user: 'ann', claims: { check: () => true } },
  ])('lets nobody in as a class returns by mistake: %j', async (returned) => {
    class Mistaken extends Admission {
      admit(): Admitted {
        return returned as never;
      }
    }
    const app = kept(await startApp('express', { auth: { use: Mistaken } }));
    await expect(connect(app, 'ann')).rejects.toMatchObject({ status: 503 });
  });

  it.each([
    [new UnauthorizedException('no'), 401],
    [new ForbiddenException('no'), 403],
    [new HttpException('slower', 429), 429],
    [new HttpException('a teapot', 418), 403],
    [new ServiceUnavailableException(), 503],
    [new Error('a bug'), 503],
  ])('may refuse by %p', async (thrown, status) => {
    class Refusing extends Admission {
      admit(): Admitted {
        throw thrown;
      }
    }
    const app = kept(await startApp('express', { auth: { use: Refusing } }));
    await expect(connect(app, 'ann')).rejects.toMatchObject({ status });
  });

  it('keeps its own copy of claims, frozen to the depth', async () => {
    const claims = { roles: ['reader'] };
    class Sharing extends Admission {
      readonly admit = (): Admitted => ({ user: 'ann', claims });
    }
    const app = kept(await startApp('express', { auth: { use: Sharing } }, [PollModule]));
    const ann = await connect(app, 'ann');
    claims.roles.push('owner');
    expect(await ann.command('who.am-i', {})).toMatchObject({ claims: { roles: ['reader'] }, frozen: true });
  });

  it('renews no client as another user, or as nobody, whatever the class says', async () => {
    let renewed: unknown;
    class Trusting extends Admission {
      readonly admit = (): Admitted => ({ user: 'ann', claims: { plan: 'free' } });
      override refresh(): Admitted {
        return renewed as never;
      }
    }
    const app = kept(await startApp('express', { auth: { use: Trusting } }, [PollModule]));
    const ann = await connect(app, 'ann');
    renewed = { user: 'bob', claims: { plan: 'gold' } };
    expect((await ann.request('$auth', { token: 'x' })).error).toMatchObject({ code: 'unauthenticated' });
    renewed = undefined;
    expect((await ann.request('$auth', { token: 'x' })).error).toMatchObject({ code: 'internal' });
    expect(await ann.command('who.am-i', {})).toMatchObject({ user: 'ann', claims: { plan: 'free' } });
    renewed = { user: 'ann', claims: { plan: 'gold' } };
    await ann.command('$auth', { token: 'x' });
    expect(await ann.command('who.am-i', {})).toMatchObject({ user: 'ann', claims: { plan: 'gold' } });
  });

  it('is the instance that a module provides', async () => {
    let made = 0;
    @Injectable()
    class Counted extends Admission {
      constructor() {
        super();
        made++;
      }

      admit(): Admitted {
        return { user: `u${made}` };
      }
    }
    @Module({ providers: [Counted] })
    class AuthModule {}
    const app = kept(await startApp('express', { auth: { use: Counted } }, [AuthModule, PollModule]));
    expect(await (await connect(app, 'x')).command('who.am-i', {})).toMatchObject({ user: 'u1' });
  });

  it('is never asked about a page of a strange origin', async () => {
    const app = kept(useWss(await createApp('express', [listed()])));
    await app.listen(0, '127.0.0.1');
    const url = `${await socketUrl(app)}?user=eve`;
    const from = (origin: string): Promise<TestClient> => TestClient.connect(url, { headers: { origin } });
    await expect(from('https://evil.example')).rejects.toMatchObject({ status: 403 });
    await expect(from('https://app.example')).rejects.toMatchObject({ status: 401 });
  });

  it.each([
    ['http://localhost:5173', undefined],
    ['http://127.0.0.1:5173', undefined],
    ['https://app.localhost', undefined],
    ['http://[::1]:1', undefined],
    ['http://localhost.evil.example', 403],
    ['http://evil.example:5173', 403],
    ['null', 403],
  ])('lets pages of any port of this machine in by default without admission: %s', async (origin, status) => {
    const app = kept(await startApp('express', { auth: 'none' }));
    const attempt = TestClient.connect(await socketUrl(app), { headers: { origin } });
    if (status === undefined) clients.push(await attempt);
    else await expect(attempt).rejects.toMatchObject({ status });
  });

  it('shows all claims of a token, and those of the token that renews it', async () => {
    const secret = 'a secret of more than 32 characters';
    const tokenOf = (claims: object, sub = 'ann'): Promise<string> =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(sub)
        .setExpirationTime('1h')
        .sign(Buffer.from(secret));
    const app = kept(await startApp('fastify', { auth: { jwt: { secret } } }, [PollModule]));
    const Authorization = `Bearer ${await tokenOf({ role: 'reader', rooms: ['a'] })}`;
    const ann = await TestClient.connect(await socketUrl(app), { headers: { Authorization } });
    clients.push(ann);
    const claims = async (): Promise<unknown> =>
      (await ann.command<{ claims: object }>('who.am-i', {})).claims;
    expect(await claims()).toMatchObject({ sub: 'ann', role: 'reader', rooms: ['a'] });
    const other = await ann.request('$auth', { token: await tokenOf({ role: 'admin' }, 'bob') });
    expect(other.error).toMatchObject({ code: 'unauthenticated' });
    expect(await claims()).toMatchObject({ role: 'reader' });
    await ann.command('$auth', { token: await tokenOf({ role: 'admin' }) });
    const renewed = await claims();
    expect(renewed).toMatchObject({ sub: 'ann', role: 'admin' });
    expect(renewed).not.toHaveProperty('rooms');
  });
});

describe('what other modules see', () => {
  const injecting = (token: unknown): Type<object> => {
    @Module({ providers: [{ provide: 'x', inject: [token as Type<object>], useFactory: (x: object) => x }] })
    class Curious {}
    return Curious;
  };

  it.each([Rooms, Presence, Cluster, Readiness])('%p, anywhere', async (token) => {
    const app = await createApp('express', [WssModule.forRoot({ auth: 'none' }), injecting(token)]);
    expect(app.get('x', { strict: false })).toBeInstanceOf(token);
    await app.close();
  });

  it.each([CommandRouter, Hub, RoomFeed, Committer, RoomStore, NodeIdentity, ClusterTransport])(
    'no %p',
    async (token) => {
      const created = createApp('express', [WssModule.forRoot({ auth: 'none' }), injecting(token)]);
      await expect(created).rejects.toThrow("Nest can't resolve dependencies of the x");
    },
  );
});

describe('an application without an HTTP server', () => {
  it('writes rooms and asks the cluster, and has no clients', async () => {
    const redis = await RedisServer.start();
    const options = { auth: 'none', redis: redis.url } as const;
    const served = kept(await startApp('express', options, [PollModule]));
    const ann = await connect(served, 'ann');
    await ann.join('poll:1');
    @Module({ imports: [WssModule.forRoot(options), PollModule] })
    class Script {}
    const context = await NestFactory.createApplicationContext(Script, {
      logger: false,
      abortOnError: false,
    });
    await context
      .get(Rooms, { strict: false })
      .to('poll:1')
      .append('by node', 'poll.voted', { user: 'x', option: 'y' });
    expect(await ann.event('poll.voted')).toMatchObject({ seq: 1, data: { user: 'x' } });
    expect(await context.get(Cluster, { strict: false }).nodes()).toHaveLength(2);
    await context.close();
    expect(await served.get(Cluster, { strict: false }).nodes()).toHaveLength(1);
    await served.close();
    apps.splice(0);
    await redis.stop();
  });
});

describe('the order of a start and a stop', () => {
  const seen: string[] = [];
  beforeEach(() => void seen.splice(0));

  @Injectable()
  class Slow implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
    ready = false;
    constructor(private readonly rooms: Rooms) {}

    async onModuleInit(): Promise<void> {
      await this.rooms.to('poll:order').append('by node', 'poll.voted', { user: 'init', option: 'x' });
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      seen.push('initialized');
    }

    async onApplicationBootstrap(): Promise<void> {
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      await this.rooms.to('poll:order').append('by node', 'poll.voted', { user: 'boot', option: 'x' });
      this.ready = true;
      seen.push('bootstrapped');
    }

    @EventPattern<string>('slow.event')
    event(@Payload() data: unknown): void {
      seen.push(`event ${String(data)}, ready ${this.ready}`);
    }

    async onApplicationShutdown(): Promise<void> {
      await this.rooms.to('poll:order').append('by node', 'poll.voted', { user: 'stop', option: 'x' });
      seen.push('stopped');
    }
  }
  @Module({ providers: [Slow] })
  class Deep {}
  @Module({ imports: [Deep] })
  class Deeper {}
  @Global()
  @Module({ imports: [Deeper] })
  class Everywhere {}

  it('brings events only to a whole application, which may use rooms in all its hooks', async () => {
    const redis = await RedisServer.start();
    const options = { auth: 'none', redis: redis.url } as const;
    const other = await startApp('express', options, [PollModule]);
    const cluster = other.get(Cluster, { strict: false });
    let sending = true;
    const flood = (async () => {
      for (let i = 0; sending; i++) await cluster.emit('slow.event', i, { volatile: true });
    })();
    const app = await startApp('express', options, [PollModule, Everywhere]);
    expect(seen.slice(0, 2)).toEqual(['initialized', 'bootstrapped']);
    await eventually(() => expect(seen.length).toBeGreaterThan(10));
    sending = false;
    await flood;
    await app.close();
    expect(seen.filter((line) => line.endsWith('ready false'))).toEqual([]);
    expect(seen.at(-1)).toBe('stopped');
    const { value } = { value: await get(other, 'polls/order') };
    expect(value).toMatchObject({ votes: {} });
    await other.close();
    await redis.stop();
  });
});
