import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { TestClient } from '@wss/testing';
import { PLATFORMS, startApp } from './test-app.js';

/** Requests that the application has got. */
let taken = 0;

@Controller('counted')
class Counter {
  @Get()
  count(): string {
    taken++;
    return 'counted';
  }
}

@Module({ controllers: [Counter] })
class CounterModule {}

const REQUEST = 'GET /counted HTTP/1.1\r\nHost: a\r\n\r\n';

describe.each(PLATFORMS)('R29: requests that one connection of %s sends without waiting', (platform) => {
  let app: INestApplication | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function start(): Promise<Socket> {
    taken = 0;
    app = await startApp(platform, { auth: 'none', drain: { windowMs: 0 } }, [CounterModule]);
    const { port } = app.getHttpServer().address() as AddressInfo;
    return connect(port, '127.0.0.1').on('error', () => undefined);
  }

  it('end it when they are many, and the application gets few of them', async () => {
    const socket = await start();
    const { port } = app!.getHttpServer().address() as AddressInfo;
    const witness = await TestClient.connect(`ws://127.0.0.1:${port}`);
    socket.resume().write(REQUEST.repeat(20_000));
    // A cut may come as an error first.
    await new Promise((resolve) => socket.once('close', resolve));
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(500);
    expect(await witness.request('$ping', {})).not.toHaveProperty('error');
    await witness.close();
  });

  it('are answered when they are few, again and again', async () => {
    const socket = await start();
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += String(bytes)));
    const answers = (): number => text.split('\r\n\r\ncounted').length - 1;
    for (let round = 1; round <= 20; round++) {
      socket.write(REQUEST.repeat(50));
      while (answers() < round * 50) await once(socket, 'data');
    }
    expect([answers(), taken]).toEqual([1_000, 1_000]);
    socket.destroy();
  });
});
