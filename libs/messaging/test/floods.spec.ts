import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { bindValue } from '@wss/core';
import { eventually, OPCODES, RawClient, rawFrame } from '@wss/testing';
import { HEARTBEAT_SLOTS, Heartbeats } from '../src/connections/heartbeats.js';
import { ClientLimits, type ClientSocket, Drain, Hub } from '../src/index.js';
import { FRAMES_AT_ONCE } from '../src/reading/reading-turns.js';
import { NativeApp } from './native/native-app.js';
import { routerModule } from './test-ports.js';

/** Marks of the commands that were carried out. */
let done: unknown[];

/** How long the handler of a command works, ms. */
let busyMs = 0;

@WebSocketGateway({ commands: true })
class ClientGateway {}

@Injectable()
class Handlers {
  @SubscribeMessage('flood.do')
  do(): void {
    for (const until = performance.now() + busyMs; performance.now() < until;);
    done.push('done');
  }
}

const text = (content: string): Buffer => rawFrame(OPCODES.text, content);
const request = (id: number): string => JSON.stringify({ event: 'flood.do', id });

/** Frames of a hostile client, which sends many of each kind. */
const KINDS: Readonly<Record<string, (index: number) => Buffer>> = {
  'texts of a byte': () => text('x'),
  'empty objects': () => text('{}'),
  requests: (index) => text(request(index)),
  pings: (index) => rawFrame(OPCODES.ping, String(index)),
  pongs: () => rawFrame(OPCODES.pong),
  'binary frames': () => rawFrame(OPCODES.binary, 'x'),
  fragments: (index) => rawFrame(index % 500 === 0 ? 1 : 0, 'x', { fin: index % 500 === 499 }),
};

describe('R29: a flood costs its sender only', () => {
  let native: NativeApp;
  let client: RawClient;
  let socket: ClientSocket;

  async function start(limits?: Partial<ClientLimits>): Promise<void> {
    done = [];
    busyMs = 0;
    const bound = limits && [
      bindValue(ClientLimits, { maxRooms: 10, framesPerSecond: 1e6, bytesPerSecond: 1e9, ...limits }),
    ];
    native = await NativeApp.start(routerModule({ providers: [ClientGateway, Handlers, ...(bound ?? [])] }));
    client = await RawClient.connect(native.port);
    [socket] = [...native.app.get(Hub).all()] as [ClientSocket];
  }

  beforeEach(() => start({}));
  afterEach(async () => {
    jest.restoreAllMocks();
    client.terminate();
    await native.stop();
  });

  async function restart(limits: Partial<ClientLimits>): Promise<void> {
    client.terminate();
    await native.stop();
    await start(limits);
  }

  it.each(Object.keys(KINDS))('no turn of the event loop is spent on %s alone', async (kind) => {
    const count = 3_000;
    let taken = 0;
    let mostPerTurn = 0;
    let turn = 0;
    const ended = (): void => {
      mostPerTurn = Math.max(mostPerTurn, taken - turn);
      turn = taken;
      if (taken < count) setImmediate(ended);
    };
    const receiver = (socket.socket as unknown as { _receiver: { haveLength(done: unknown): void } })
      ._receiver;
    const haveLength = receiver.haveLength;
    receiver.haveLength = function (this: typeof receiver, callback) {
      taken++;
      haveLength.call(this, callback);
    };
    ended();
    client.write(Buffer.concat(Array.from({ length: count }, (_, index) => KINDS[kind]!(index))));
    await eventually(() => expect(taken).toBe(count));
    // Once when they have come, and once in the part of the turn that is for those who had to wait.
    expect(mostPerTurn).toBeLessThanOrEqual(2 * (FRAMES_AT_ONCE + 1));
    if (kind === 'requests') await eventually(() => expect(done).toHaveLength(count));
  });

  it('reads the fewer frames of a client in a turn, the longer they are worked on', async () => {
    const count = 200;
    const perTurn: number[] = [];
    let before = 0;
    busyMs = 2;
    const ended = (): void => {
      perTurn.push(done.length - before);
      before = done.length;
      if (before < count) setImmediate(ended);
    };
    ended();
    client.write(Buffer.concat(Array.from({ length: count }, (_, index) => text(request(index)))));
    await eventually(() => expect(client.texts).toHaveLength(count));
    const busy = perTurn.filter((commands) => commands > 0);
    expect(busy.slice(-50).every((commands) => commands <= 2)).toBe(true);
    expect(client.texts.map((reply) => (JSON.parse(reply) as { id: number }).id)).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
  });

  it('answers only the newest ping, in its turn', async () => {
    const count = 2_000;
    client.write(Buffer.concat(Array.from({ length: count }, (_, i) => rawFrame(OPCODES.ping, String(i)))));
    await eventually(() => expect(String(client.frames.at(-1)?.payload)).toBe(String(count - 1)));
    const answered = client.frames.map(({ opcode, payload }) => [opcode, Number(payload)]);
    expect(answered.every(([opcode]) => opcode === OPCODES.pong)).toBe(true);
    const numbers = answered.map(([, number]) => number!);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    // One for each part that is read of it, and a part is short when others need the processor.
    expect(numbers.length).toBeLessThan(count / 4);
  });

  it('keeps one pong for a client that never reads, and closes it', async () => {
    const now = performance.now.bind(performance);
    let ahead = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now() + ahead);
    client.stopReading();
    const ping = Buffer.concat(Array.from({ length: 2_000 }, () => rawFrame(OPCODES.ping, 'x'.repeat(125))));
    // More than the buffers of both systems hold.
    for (let mebibytes = 0; mebibytes < 24 && socket.blockedSince === 0; mebibytes += 0.25)
      await client.written(ping);
    for (let more = 0; more < 8; more++) await client.written(ping);
    expect(socket.queue!.unreadBytes).toBeLessThan(200_000);
    if (socket.blockedSince === 0) return;
    ahead = 31_000;
    native.app.get(Heartbeats).tick();
    expect(socket.closedWith).toBe(4408);
  });

  it('slows a client beyond its frames per second, and loses nothing', async () => {
    await restart({ framesPerSecond: 200 });
    const count = 1_300;
    client.write(Buffer.concat(Array.from({ length: count }, (_, index) => text(request(index)))));
    await eventually(() => expect(socket.throttled).toBe(true));
    for (let tick = 0; tick < 3 * HEARTBEAT_SLOTS; tick++) native.app.get(Heartbeats).tick();
    await eventually(() => expect(client.texts).toHaveLength(count), { withinMs: 20_000 });
    expect(client.texts.map((reply) => (JSON.parse(reply) as { id: number }).id)).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
    expect(done).toHaveLength(count);
    expect(socket.readyState).toBe(socket.socket.OPEN);
    await eventually(() => expect(socket.throttled).toBe(false));
  });

  it('slows a client beyond its bytes per second, and loses nothing', async () => {
    await restart({ bytesPerSecond: 100_000 });
    const frame = text(JSON.stringify({ event: 'flood.do', data: { text: 'x'.repeat(60_000) } }));
    for (let count = 0; count < 12; count++) client.write(frame);
    await eventually(() => expect(socket.throttled).toBe(true));
    await eventually(() => expect(done).toHaveLength(12), { withinMs: 20_000 });
  });

  it('reads no frame that is too big, nor the rest of it', async () => {
    await restart({ bytesPerSecond: 100_000 });
    const stream = (socket.socket as unknown as { _socket: { bytesRead: number } })._socket;
    const bytes = rawFrame(OPCODES.text, Buffer.alloc(20 * 1_048_576));
    client.write(bytes);
    expect(await client.ended).toBe(1009);
    expect(stream.bytesRead).toBeLessThan(2 * 1_048_576);
  });

  it.each([
    [
      'a message of 1,025 fragments',
      Array.from({ length: 1_025 }, (_, i) => rawFrame(i === 0 ? 1 : 0, 'x', { fin: false })),
    ],
    ['data behind a close frame', [rawFrame(OPCODES.close), ...Array<Buffer>(5_000).fill(text('x'))]],
  ])('ends the connection for %s', async (_what, frames) => {
    client.write(Buffer.concat(frames));
    const code = await client.ended;
    expect([1005, 1008]).toContain(code);
    expect(client.texts).toEqual([]);
  });

  it('counts a ping as a sign of life', async () => {
    for (let tick = 0; tick < 3 * HEARTBEAT_SLOTS; tick++) {
      native.app.get(Heartbeats).tick();
      const pongs = client.frames.filter(({ opcode }) => opcode === OPCODES.pong).length;
      client.write(rawFrame(OPCODES.ping));
      const frames = (): unknown[] => client.frames.filter(({ opcode }) => opcode === OPCODES.pong);
      await eventually(() => expect(frames().length).toBe(pongs + 1), { everyMs: 1 });
    }
    expect(socket.readyState).toBe(socket.socket.OPEN);
  });

  it('takes a frame that does not get complete for silence', async () => {
    client.write(rawFrame(OPCODES.text, '{"event":"flood.do"}').subarray(0, 9));
    for (let tick = 0; tick < 3 * HEARTBEAT_SLOTS; tick++) native.app.get(Heartbeats).tick();
    expect(socket.closedWith).toBe(4409);
    await eventually(() => expect(client.closeCode).toBe(4409));
  });

  it('sees at once that a client has gone that is over its share', async () => {
    await restart({ framesPerSecond: 1 });
    client.write(Buffer.concat(Array.from({ length: 1_000 }, (_, index) => text(request(index)))));
    await eventually(() => expect(socket.throttled).toBe(true));
    socket.terminate();
    await eventually(() => expect(native.app.get(Hub).size).toBe(0));
    expect(done.length).toBeLessThan(1_000);
  });

  it('lets a client go that is over its share', async () => {
    await restart({ framesPerSecond: 1 });
    client.write(Buffer.concat(Array.from({ length: 1_000 }, (_, index) => text(request(index)))));
    await eventually(() => expect(socket.throttled).toBe(true));
    await native.app.get(Drain).run({ windowMs: 0, over: AbortSignal.timeout(100) });
    expect(client.closeCode).toBe(1012);
    await eventually(() => expect(native.app.get(Hub).size).toBe(0));
  });
});
