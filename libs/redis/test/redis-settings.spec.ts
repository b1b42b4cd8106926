import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { eventually, RedisServer, TcpProxy } from '@wss/testing';
import { PatientRedis } from '../src/links/patient-redis.js';
import { checkServer, parseRedisTarget, RedisLinks } from '../src/index.js';

describe('the settings of a link', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let links: RedisLinks;
  let plain: Redis;
  beforeAll(async () => void (server = await RedisServer.start()));
  afterAll(() => server?.stop());
  beforeEach(async () => {
    await server.cli('FLUSHALL');
    proxy = await TcpProxy.start({ to: server.port });
    links = await RedisLinks.connect({ target: parseRedisTarget(proxy.url), commandTimeoutMs: 300 });
    // As ioredis is out of the box.
    plain = new Redis(proxy.url);
    plain.on('error', () => undefined);
    await plain.ping();
  });
  afterEach(async () => {
    await links.close();
    plain.disconnect();
    await proxy.stop();
  });
  const value = async (): Promise<number> => Number(await server.cli('GET', 'counter'));

  it('a lost reply: the driver alone would apply the command twice; ours says that it does not know', async () => {
    await proxy.setMode('dropReplies');
    const twice = plain.incr('counter');
    await eventually(async () => expect(await value()).toBe(1));
    await proxy.setMode('pass');
    expect(await twice).toBe(2);

    await server.cli('DEL', 'counter');
    await eventually(() => expect(links.problem()).toBeUndefined());
    await proxy.setMode('dropReplies');
    const once = links.commands.incr('counter');
    once.catch(() => undefined);
    await eventually(async () => expect(await value()).toBe(1));
    await proxy.setMode('pass');
    await expect(once).rejects.toThrow();
    await eventually(() => expect(links.problem()).toBeUndefined());
    expect(await links.commands.incr('counter')).toBe(2);
  });

  it('a mute link: the driver alone would wait for ever; ours gives up', async () => {
    await proxy.setMode('mute');
    let answered = false;
    const waiting = plain.incr('counter').finally(() => (answered = true));
    waiting.catch(() => undefined);
    await expect(links.commands.incr('counter')).rejects.toThrow('timed out');
    expect(answered).toBe(false);
  });

  describe('an answer that waits in the socket: a busy process takes it for what it is, not for late', () => {
    let patient: PatientRedis;
    beforeEach(async () => {
      patient = new PatientRedis({ host: '127.0.0.1', port: server.port }, 300);
      await patient.ping();
      await eventually(() => expect(patient).not.toHaveProperty('timer'));
    });
    afterEach(() => patient.disconnect());

    it.each([
      ['for long', [1_500]],
      ['until just after the end of the wait', [303]],
      ['again and again', [250, 250, 250, 250]],
    ])('busy %s', async (_what, busyMs) => {
      const answerInMs = busyMs.reduce((sum, ms) => sum + ms) - 100;
      await server.cli('CLIENT', 'PAUSE', String(answerInMs), 'WRITE');
      // The code below runs from the read of another socket: timers are next, and only then sockets are read again.
      await plain.ping();
      const asked = patient.incr('counter');
      for (const [turn, ms] of busyMs.entries()) {
        if (turn > 0) await new Promise((resolve) => setImmediate(resolve));
        const until = performance.now() + ms;
        while (performance.now() < until);
      }
      expect(await asked).toBe(1);
    });

    it('busy over the end of the wait, after it has read its sockets until then', async () => {
      const askWhileBusy = async (): Promise<{ answer: unknown; readUntil: number }> => {
        await server.cli('CLIENT', 'PAUSE', '310', 'WRITE');
        await plain.ping();
        const asked = patient.incr('counter').catch((error: unknown) => error);
        const sentAt = performance.now();
        let readUntil = 0;
        for (; readUntil < 270; readUntil = performance.now() - sentAt) await plain.ping();
        // Redis notices the end of a pause within 100 ms.
        while (performance.now() < sentAt + 600);
        return { answer: await asked, readUntil };
      };
      let last = await askWhileBusy();
      // On a machine that stopped this process meanwhile, the wait was over before the answer came: that proves nothing.
      while (last.readUntil > 295) last = await askWhileBusy();
      expect(last.answer).toEqual(expect.any(Number));
    });
  });

  it('no link: the driver alone would keep the command for later; ours refuses it at once', async () => {
    await proxy.setMode('cut');
    await eventually(() => expect(links.problem()).toBeDefined());
    await eventually(() => expect(plain.status).not.toBe('ready'));
    const later = plain.incr('counter');
    await expect(links.commands.incr('counter')).rejects.toThrow();
    await proxy.setMode('pass');
    expect(await later).toBe(1);
    expect(await value()).toBe(1);
  });
});

describe('the check of a server', () => {
  let server: RedisServer | undefined;
  let redis: Redis;
  afterEach(async () => {
    redis.disconnect();
    await server?.stop();
  });
  async function start(...args: string[]): Promise<void> {
    server = await RedisServer.start({ args });
    redis = new Redis(server.url);
  }

  it('refuses a policy that deletes rooms, as it does', async () => {
    await start('--maxmemory-policy', 'allkeys-lru', '--maxmemory', '3mb');
    expect((await checkServer(redis)).errors).toEqual([expect.stringContaining('noeviction')]);
    await redis.hset('room', { document: 'precious' });
    for (let i = 0; (await redis.exists('room')) === 1; i++) {
      expect(i).toBeLessThan(2_000);
      await redis.set(`other:${i}`, 'x'.repeat(10_000));
    }
    expect(await redis.hget('room', 'document')).toBeNull();
  });

  it('R32: refuses the same policy where no limit makes it work yet: a limit can be set at any time', async () => {
    await start('--maxmemory-policy', 'allkeys-lru', '--appendonly', 'yes');
    expect((await checkServer(redis)).errors).toEqual([expect.stringContaining('noeviction')]);
  });

  it('refuses a user whose scripts can not see which history Redis is on', async () => {
    await start();
    await redis.acl('SETUSER', 'blind', 'on', '>pw', '~*', '&*', '+@all', '-info');
    const blind = new Redis(server!.url.replace('redis://', 'redis://blind:pw@'), {
      enableReadyCheck: false,
    });
    blind.on('error', () => undefined);
    try {
      expect((await checkServer(blind)).errors).toEqual([expect.stringContaining('+info')]);
    } finally {
      blind.disconnect();
    }
  });

  it('warns where a restart loses every room, as it does, and where it loses the tail', async () => {
    await start('--save', '');
    expect((await checkServer(redis)).warnings).toEqual([expect.stringContaining('persistence is off')]);
    await redis.set('room', 'precious');
    await server!.kill();
    await server!.restart();
    await eventually(async () => expect(await redis.exists('room')).toBe(0));
    await redis.config('SET', 'save', '3600 1');
    expect((await checkServer(redis)).warnings).toEqual([expect.stringContaining('append-only file is off')]);
  });
});
