import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type CanActivate, Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue, RoomType } from '@wss/core';
import { eventually, type TestClient } from '@wss/testing';
import { COMMAND_TIMEOUT_MS } from '../src/commands/new-command.js';
import { HEARTBEAT_SLOTS, Heartbeats } from '../src/connections/heartbeats.js';
import { ClientLimits, type ClientSocket, Drain, Hub } from '../src/index.js';
import { MAX_COMMAND_BYTES, MAX_COMMANDS } from '../src/ports/limits.js';
import { type Deferred, deferred, NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

const ROOM = 'slow:1';
/** The decision that the guard waits for. */
let asked: Deferred<boolean>;
/** Marks of the commands that were carried out. */
let done: unknown[];

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
class SlowGuard implements CanActivate {
  canActivate(): Promise<boolean> {
    return asked.promise;
  }
}

@Injectable()
@RoomType('slow', { join: SlowGuard })
class SlowHandlers {
  @SubscribeMessage('slow.do')
  do(): void {
    done.push('done');
  }
}

describe('R29: what a client sends while a join is under way', () => {
  let native: NativeApp;
  let client: TestClient;
  let socket: ClientSocket;

  beforeEach(async () => {
    asked = deferred<boolean>();
    done = [];
    const limits = bindValue(ClientLimits, {
      maxRooms: 10,
      framesPerSecond: Infinity,
      bytesPerSecond: Infinity,
    });
    native = await NativeApp.start(routerModule({ providers: [ClientGateway, SlowHandlers, limits] }));
    client = await native.client('/');
    [socket] = [...native.app.get(Hub).all()] as [ClientSocket];
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    asked.resolve(true);
    await native.stop();
  });

  const join = (): void => client.send({ event: '$join', room: ROOM, id: 'join' });
  /** Sends so many commands, each with its number as the id. */
  function send(count: number, { text = '', event = 'slow.do' } = {}): void {
    for (let id = 0; id < count; id++) client.send({ event, room: ROOM, id, data: { text } });
  }
  const throttled = (): Promise<void> => eventually(() => expect(socket.throttled).toBe(true));
  const ids = (): unknown[] => client.frames.map(({ id }) => id);

  it.each([
    ['number', 1_000, ''],
    ['size', 200, 'x'.repeat(60_000)],
  ])('is bounded by its %s, and all of it is carried out in order', async (_what, count, text) => {
    join();
    send(count, { text });
    await throttled();
    expect(socket.isPaused).toBe(true);
    expect(socket.inFlight).toBeLessThanOrEqual(MAX_COMMANDS);
    expect((socket.inFlight - 2) * text.length).toBeLessThan(MAX_COMMAND_BYTES);
    asked.resolve(true);
    await eventually(() => expect(client.frames).toHaveLength(count + 1));
    // Replies may overtake that of a join, which keeps its place among the frames of its room.
    expect(ids().filter((id) => id !== 'join')).toEqual(Array.from({ length: count }, (_, id) => id));
    expect(done).toHaveLength(count);
    expect([socket.isPaused, socket.throttled, socket.inFlight]).toEqual([false, false, 0]);
  });

  it('is answered by its deadline, which runs from when it came, and the end of the client seen', async () => {
    join();
    send(MAX_COMMANDS + 50);
    await throttled();
    const now = performance.now.bind(performance);
    let ahead = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now() + ahead);
    for (const least of [MAX_COMMANDS, MAX_COMMANDS + 51]) {
      ahead += COMMAND_TIMEOUT_MS;
      await eventually(() => expect(client.frames.length).toBeGreaterThanOrEqual(least));
    }
    expect(new Set(client.frames.map(({ error }) => error?.code))).toEqual(new Set(['unavailable']));
    expect(done).toEqual([]);
    // Only the join is left, whose guard has not answered.
    await eventually(() => expect([socket.isPaused, socket.inFlight]).toEqual([false, 1]));
    await client.terminate();
    await eventually(() => expect(native.app.get(Hub).size).toBe(0));
  });

  it('is dropped when its connection has gone', async () => {
    join();
    send(10);
    await eventually(() => expect(socket.inFlight).toBe(11));
    await client.terminate();
    await eventually(() => expect(socket.inFlight).toBe(1));
    asked.resolve(true);
    await eventually(() => expect(socket.inFlight).toBe(0));
    expect([done, socket.roomState(ROOM)]).toEqual([[], undefined]);
  });

  it('keeps its connection from no close that the node begins', async () => {
    join();
    send(MAX_COMMANDS + 50);
    await throttled();
    socket.closeWith(4401);
    expect(await client.closed).toMatchObject({ code: 4401 });
    await eventually(() => expect([native.app.get(Hub).size, socket.inFlight]).toEqual([0, 1]));
  });

  it('is answered before a node that stops lets the client go', async () => {
    join();
    send(MAX_COMMANDS + 50);
    await throttled();
    const drained = native.app.get(Drain).run({ windowMs: 0, over: AbortSignal.timeout(20_000) });
    asked.resolve(true);
    expect(await client.closed).toMatchObject({ code: 1012 });
    await drained;
    const answered = ids().filter((id) => typeof id === 'number');
    expect(answered).toEqual(Array.from({ length: done.length }, (_, id) => id));
    expect(answered.length).toBeGreaterThanOrEqual(MAX_COMMANDS - 1);
  });

  it('lets no heartbeat judge the client that is not read from', async () => {
    join();
    send(MAX_COMMANDS + 50);
    await throttled();
    for (let tick = 0; tick < 3 * HEARTBEAT_SLOTS; tick++) native.app.get(Heartbeats).tick();
    asked.resolve(true);
    await eventually(() => expect(done).toHaveLength(MAX_COMMANDS + 50));
    expect(socket.readyState).toBe(socket.socket.OPEN);
  });
});
