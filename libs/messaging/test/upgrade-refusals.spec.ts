import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { bindClass, bindValue } from '@wss/core';
import { OPCODES, RawClient, rawFrame } from '@wss/testing';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Admission, MessagingObserver, UpgradeRefusal } from '../src/index.js';
import { captureLogs, releaseLogs } from './captured-logs.js';
import { NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

@WebSocketGateway({ commands: true })
class ClientGateway {}

const OFFER = { 'Sec-WebSocket-Protocol': 'wss.v1, wss.refusals' };

/** An observer with a fault of its own. */
class FaultyObserver extends MessagingObserver {
  upgradeAnswered(): void {
    throw new Error('a fault of ours');
  }
  commandEnded(): void {}
  clientGone(): void {}
  clientSlow(): void {}
  clientDrained(): void {}
  delivered(): void {}
  historyChanged(): void {}
}

describe('an upgrade that is refused', () => {
  let native: NativeApp;
  afterEach(async () => {
    jest.restoreAllMocks();
    releaseLogs();
    await native.stop();
  });

  async function refusedWith(text: string, providers: object[] = []): Promise<WebSocket> {
    const refuse = (): never => {
      throw new UpgradeRefusal(403, text);
    };
    const admission = bindValue(Admission, { admit: refuse, refresh: refuse });
    native = await NativeApp.start(
      routerModule({ providers: [ClientGateway, admission, ...(providers as [])] }),
    );
    return new WebSocket(native.url(), ['wss.v1', 'wss.refusals']);
  }

  it.each([
    ['two bytes', 'ü'.repeat(100), 'ü'.repeat(61)],
    ['four bytes', `ab${'😀'.repeat(100)}`, `ab${'😀'.repeat(30)}`],
    ['one byte', 'x'.repeat(200), 'x'.repeat(123)],
  ])('is told as much of a long reason in characters of %s as a close frame takes', async (_, text, told) => {
    const socket = await refusedWith(text);
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, String(reason)]).toEqual([4903, told]);
  });

  it.each([
    // More often than there may be such sockets at a time.
    ['pings', 1_100, rawFrame(OPCODES.ping, '')],
    ['texts of a byte', 1, rawFrame(OPCODES.text, 'x')],
  ])('R29: reads no flood of %s behind its reason, and keeps nothing of it', async (_, times, frame) => {
    (await refusedWith('no')).on('error', () => undefined);
    const read = jest.spyOn(WebSocket.prototype, 'emit');
    const flood = Buffer.concat(Array.from({ length: 5_000 }, () => frame));
    for (let i = 0; i < times; i++) {
      const client = await RawClient.connect(native.port, '/', OFFER);
      client.write(flood);
      await client.ended;
      const frames = read.mock.calls.filter(([event]) => event === 'ping' || event === 'message');
      read.mockClear();
      expect(frames.length).toBeLessThan(100);
    }
  });

  it('still hears a client that answers behind what it has sent before', async () => {
    (await refusedWith('no')).on('error', () => undefined);
    const client = await RawClient.connect(native.port, '/', OFFER);
    for (let i = 0; i < 10; i++) client.write(rawFrame(OPCODES.text, '{"event":"$ping"}'));
    client.write(rawFrame(OPCODES.close, Buffer.from([4903 >> 8, 4903 & 0xff])));
    expect(await client.ended).toBe(4903);
  });

  it('is cut where not even that can be told, and the node goes on', async () => {
    const logs = captureLogs();
    const socket = await refusedWith('no', [bindClass(MessagingObserver, FaultyObserver)]);
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('socket hang up');
    expect(logs.error.filter((line) => line.includes('a fault of ours'))).toHaveLength(1);
  });
});
