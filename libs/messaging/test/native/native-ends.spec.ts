import { afterEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindClass } from '@wss/core';
import { eventually } from '@wss/testing';
import { Observable } from 'rxjs';
import type { VerifyClientCallbackAsync, WebSocket } from 'ws';
import { Drain, MessagingObserver } from '../../src/index.js';
import { captureLogs, releaseLogs } from '../captured-logs.js';
import { clientFrame, rawRequest, upgradeRequest } from '../raw-request.js';
import { routerModule } from '../test-ports.js';
import { type Deferred, deferred, NativeApp } from './native-app.js';

let native: NativeApp | undefined;
afterEach(async () => {
  releaseLogs();
  await native?.stop();
  native = undefined;
});

describe('messages that wait for handleConnection, of a client that goes', () => {
  let notes: string[];
  let hook: Deferred;
  let socket: WebSocket;

  /** Notes what its handlers and hooks see; `handleConnection` waits for `hook`, then for what the test does. */
  function noting(then: (client: WebSocket) => void = () => undefined): Type<object> {
    notes = [];
    hook = deferred();
    const { promise } = hook;
    @WebSocketGateway()
    class NotingGateway {
      async handleConnection(client: WebSocket): Promise<void> {
        socket = client;
        client.on('message', (data) => notes.push(`raw ${String(data).length}`));
        client.on('close', () => notes.push('closed'));
        await promise;
        then(client);
      }

      handleDisconnect(_client: WebSocket, code: number): void {
        notes.push(`gone ${code}`);
      }

      @SubscribeMessage('now')
      now(@MessageBody() data: unknown): void {
        notes.push(`now ${String(data)}`);
      }

      @SubscribeMessage('stream')
      stream(): Observable<unknown> {
        return new Observable(() => {
          notes.push('subscribed');
          return () => notes.push('unsubscribed');
        });
      }
    }
    return NotingGateway;
  }

  async function send(...events: string[]): Promise<void> {
    const frames = events.map((event) => clientFrame(1, JSON.stringify({ event, data: 1 })));
    const before = Buffer.from(upgradeRequest('/'));
    await rawRequest(native!.port, Buffer.concat([before, ...frames, clientFrame(8)]));
    await eventually(() => expect(notes).toContain('closed'));
  }

  it('are handled before its handleDisconnect, as in Nest', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    await send('now', 'stream', 'unknown');
    expect(notes.filter((line) => !line.startsWith('raw'))).toEqual(['closed']);
    hook.resolve();
    await eventually(() => expect(notes).toContain('gone 1005'));
    expect(notes.slice(-4)).toEqual(['now 1', 'subscribed', 'unsubscribed', 'gone 1005']);
  });

  it('do not delay handleDisconnect of one that sent none', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    await send();
    expect(notes).toEqual(['closed', 'gone 1005']);
    hook.resolve();
  });

  it('delay it no longer than five seconds', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    await send('now');
    await eventually(() => expect(notes.slice(-2)).toEqual(['now 1', 'gone 1005']), { withinMs: 10_000 });
    hook.resolve();
  }, 20_000);

  it('are handled before the application ends', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    await send('now');
    const stopped = native.app.close().then(() => notes.push('ended'));
    hook.resolve();
    await stopped;
    expect(notes.slice(-3)).toEqual(['now 1', 'gone 1005', 'ended']);
  });

  it.each([
    ['closes it', (client: WebSocket) => client.close(4401, 'who are you')],
    ['cuts it', (client: WebSocket) => client.terminate()],
  ])('are dropped when the hook %s', async (_how, then) => {
    native = await NativeApp.start({ providers: [noting(then)] });
    const client = await native.client();
    client.send({ event: 'now', data: 1 });
    await eventually(() => expect(notes).toHaveLength(1));
    hook.resolve();
    await client.closed;
    await eventually(() => expect(notes.slice(1)).toEqual(['closed', expect.stringMatching(/^gone \d+$/)]));
  });

  it('are dropped when the hook has closed it and goes on', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    const client = await native.client();
    client.send({ event: 'now', data: 1 });
    await eventually(() => expect(notes).toHaveLength(1));
    socket.close(4401);
    await client.closed;
    await eventually(() => expect(notes.slice(1)).toEqual(['closed', 'gone 4401']));
    hook.resolve();
    await eventually(() => expect(Object.getOwnPropertyNames(socket)).not.toContain('close'));
    expect(notes).toHaveLength(3);
  });

  it('leave the methods of the socket as they were', async () => {
    native = await NativeApp.start({ providers: [noting()] });
    const client = await native.client();
    await eventually(() => expect(socket).toBeDefined());
    const mine = (): void => void notes.push('my close');
    socket.close = mine;
    client.send({ event: 'now', data: 1 });
    await eventually(() => expect(notes).toHaveLength(1));
    hook.resolve();
    await eventually(() => expect(notes).toContain('now 1'));
    expect([socket.close, Object.hasOwn(socket, 'terminate')]).toEqual([mine, false]);
  });
});

describe('a handshake on a native path', () => {
  let statuses: number[];

  class CountingObserver extends MessagingObserver {
    upgradeAnswered(status: number): void {
      statuses.push(status);
    }
    commandEnded(): void {}
    clientGone(): void {}
    clientSlow(): void {}
    clientDrained(): void {}
    delivered(): void {}
    historyChanged(): void {}
  }

  @WebSocketGateway({ path: '/live', commands: true })
  class LiveGateway {}

  const checking = (path: string, verifyClient: unknown): Type<object> => {
    @WebSocketGateway({ path, verifyClient })
    class CheckingGateway {}
    return CheckingGateway;
  };

  async function start(...providers: Type<object>[]): Promise<void> {
    statuses = [];
    const observer = bindClass(MessagingObserver, CountingObserver);
    native = await NativeApp.start(routerModule({ providers: [LiveGateway, observer, ...providers] }));
  }

  const fail = (): never => {
    throw new Error('a bug of the gateway');
  };

  it.each<[number, string, unknown, (request: string) => string]>([
    [400, 'a bad key', undefined, (request) => request.replace('dGhlIHNhbXBsZSBub25jZQ==', 'x')],
    [400, 'another version', undefined, (request) => request.replace('Version: 13', 'Version: 7')],
    [400, 'another protocol', undefined, (request) => request.replace('websocket', 'h2c')],
    [405, 'another method', undefined, (request) => request.replace('GET', 'PUT')],
    [401, 'a check that refuses it', () => false, (request) => request],
    [
      402,
      'a check that refuses it with a status',
      (_: unknown, done: VerifyDone) => done(false, 402),
      String,
    ],
    [
      402,
      'a check that does so later',
      (_: unknown, done: VerifyDone) => setImmediate(() => done(false, 402)),
      String,
    ],
    [400, 'a check that throws', fail, String],
  ])('is counted once with %i for %s', async (status, _what, verifyClient, change) => {
    captureLogs();
    await start(checking('/native', verifyClient));
    const answer = await rawRequest(native!.port, change(upgradeRequest('/native')));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(statuses).toEqual([status]);
  });

  it('is counted once with 101 when it becomes a client, whatever becomes of that', async () => {
    @WebSocketGateway({ path: '/native' })
    class ClosingGateway {
      handleConnection(client: WebSocket): void {
        client.terminate();
      }
    }
    await start(ClosingGateway);
    await (
      await native!.client('/native')
    ).closed;
    expect(statuses).toEqual([101]);
  });

  it.each([
    ['the node has begun to stop', () => native!.app.get(Drain).refuseNew()],
    ['the application has begun to end', () => void native!.app.close()],
  ])('is refused with 503 when %s while the check was at work', async (_when, stop) => {
    const asked = deferred<VerifyDone>();
    await start(checking('/native', (_info: unknown, done: VerifyDone) => asked.resolve(done)));
    const answer = rawRequest(native!.port, upgradeRequest('/native'));
    const done = await asked.promise;
    stop();
    await eventually(async () => {
      expect(await rawRequest(native!.port, upgradeRequest('/native')).catch(() => '503')).toContain('503');
    });
    done(true);
    expect(await answer).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 1\r\n/);
    expect(statuses).toContain(503);
    expect(statuses).not.toContain(101);
  });
});

type VerifyDone = Parameters<VerifyClientCallbackAsync>[1];

describe('a gateway that turns off the tracking of its clients', () => {
  it('has them closed with 1012 when the application ends, and is told', async () => {
    const ends: string[] = [];
    @WebSocketGateway({ clientTracking: false })
    class UntrackedGateway {
      async handleDisconnect(_client: WebSocket, code: number): Promise<void> {
        await Promise.resolve();
        ends.push(`gone ${code}`);
      }

      onApplicationShutdown(): void {
        ends.push('stores closed');
      }
    }
    native = await NativeApp.start({ providers: [UntrackedGateway] });
    const polite = await native.client();
    const deaf = await native.client();
    deaf.socket.pause();
    await native.app.close();
    expect(await polite.closed).toEqual({ code: 1012, reason: 'service restart' });
    expect(ends).toEqual(['gone 1012', 'gone 1006', 'stores closed']);
    deaf.socket.resume();
    await deaf.closed;
  });
});
