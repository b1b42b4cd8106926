import { afterEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Module } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { Rooms, useWss, WssModule } from '@wss/nest';
import { rawUpgrade, RedisServer, TestClient } from '@wss/testing';
import { Poll, PollModule } from './poll.js';
import { createApp, PLATFORMS, socketUrl } from './test-app.js';

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const node = (): ReturnType<typeof WssModule.forRoot> => WssModule.forRoot({ auth: 'none' });

describe.each(PLATFORMS)('half an installation on %s', (platform) => {
  it('refuses to boot without useWss', async () => {
    app = await createApp(platform, [node(), PollModule]);
    await expect(app.listen(0, '127.0.0.1')).rejects.toThrow(
      /^WssModule has no WebSocket: call useWss\(app\) after .* an e2e test needs it, too/,
    );
    expect(app.getHttpServer().listening).toBe(false);
  });

  it('refuses to boot under another adapter, whether it was set before or after', async () => {
    for (const Adapter of [WsAdapter, IoAdapter]) {
      const other = await createApp(platform, [node(), PollModule]);
      useWss(other);
      other.useWebSocketAdapter(new Adapter(other));
      await expect(other.init()).rejects.toThrow(/^another WebSocket adapter has taken the place/);
      await other.close();
      const before = await createApp(platform, [node(), PollModule]);
      before.useWebSocketAdapter(new Adapter(before));
      await useWss(before).listen(0, '127.0.0.1');
      await (await TestClient.connect(await socketUrl(before))).close();
      await before.close();
    }
  });

  it('refuses useWss without the module', async () => {
    app = await createApp(platform, []);
    expect(() => useWss(app!)).toThrow(/^useWss\(app\) finds no WssModule: import WssModule\.forRoot/);
    await app.close();
    const bare = createApp(platform, [WssModule]);
    await expect(bare).rejects.toThrow('import WssModule.forRoot(…) instead');
  });

  it('refuses a second node in one application', async () => {
    @Module({ imports: [WssModule.forRoot({ auth: 'none', path: '/other' })] })
    class Feature {}
    await expect(createApp(platform, [node(), Feature])).rejects.toThrow(
      'WssModule.forRoot(…) is imported more than once',
    );
  });

  it('refuses documents without a node', async () => {
    await expect(createApp(platform, [WssModule.forFeature([Poll])])).rejects.toThrow(
      'the repository of Poll has no shared state: import WssModule.forRoot(…)',
    );
  });

  it('takes useWss twice as once', async () => {
    app = useWss(useWss(await createApp(platform, [node()])));
    await app.listen(0, '127.0.0.1');
    await (await TestClient.connect(await socketUrl(app))).close();
    expect(await rawUpgrade(app.getHttpServer().address().port, '/nowhere')).toMatchObject({ status: 404 });
  });

  it('takes one module that two modules import as one', async () => {
    const shared = node();
    @Module({ imports: [shared] })
    class Feature {}
    app = useWss(await createApp(platform, [shared, Feature]));
    await app.listen(0, '127.0.0.1');
  });
});

describe('a test module', () => {
  it('without an HTTP server has rooms and no clients', async () => {
    const module = await Test.createTestingModule({ imports: [node(), PollModule] }).compile();
    await module.init();
    const appended = module
      .get(Rooms)
      .to('poll:1')
      .append('by node', 'poll.voted', { user: 'a', option: 'b' });
    expect(await appended).toEqual({ seq: 1 });
    await module.close();
  });

  it('with one needs useWss', async () => {
    const compile = async (): Promise<INestApplication> => {
      const module = await Test.createTestingModule({ imports: [node(), PollModule] }).compile();
      return module.createNestApplication(new FastifyAdapter(), { logger: false });
    };
    const without = await compile();
    await expect(without.init()).rejects.toThrow('the set-up of an e2e test needs it, too');
    await without.close();
    app = useWss(await compile());
    await app.listen(0, '127.0.0.1');
    await (await TestClient.connect(await socketUrl(app))).close();
  });
});

it('a refused boot holds no lease', async () => {
  const redis = await RedisServer.start();
  const refused = await createApp('express', [WssModule.forRoot({ auth: 'none', redis: redis.url })]);
  await expect(refused.init()).rejects.toThrow('WssModule has no WebSocket');
  expect(await redis.cli('ZCARD', 'wss:nodes')).toBe(0);
  await refused.close();
  expect(await redis.cli('CLIENT', 'LIST')).not.toContain('name=wss-');
  await redis.stop();
});
