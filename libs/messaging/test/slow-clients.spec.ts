import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually, Random } from '@wss/testing';
import { captureLogs, releaseLogs } from './captured-logs.js';
import { FanoutNode } from './fanout/fanout-world.js';
import { LogRoom } from './fanout/log-room.js';
import type { EventFrame } from './fanout/seen-room.js';
import { WatchedClient } from './fanout/watched-client.js';

/** An error as ports throw it, known by its name. */
class StoreError extends Error {
  override readonly name = 'StoreError';
}

const ROOM = 'log:1';

describe('a client that reads too slowly', () => {
  let node: FanoutNode;
  let room: LogRoom;
  let sessions = 0;
  const clients: WatchedClient[] = [];

  beforeEach(async () => {
    node = await FanoutNode.start();
    room = new LogRoom(ROOM, node.delivery, new Random(1));
    node.source.rooms = new Map([[ROOM, room]]);
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.terminate();
    releaseLogs();
    await node.stop();
  });

  async function joined({ hasLane = false, last = 0 } = {}): Promise<WatchedClient> {
    const { connections, router } = node;
    const client = new WatchedClient({
      connections,
      router,
      session: `s${++sessions}`,
      generation: 1,
      hasLane,
    });
    clients.push(client);
    client.join(room.name, { last, state: false });
    await answered();
    return client;
  }

  /** Answers everything that waits for the engine. */
  async function answered(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      room.answer();
      await nextTurn();
    }
  }

  async function fallBehind(client: WatchedClient): Promise<void> {
    client.line.block();
    for (let count = 0; count < 8; count++) {
      room.write(1, 200_000);
      await nextTurn();
    }
    expect(node.delivery.lagOf(ROOM, client.socket)).toBeDefined();
  }

  it('is let go when the engine is out of reach, to catch up elsewhere', async () => {
    const client = await joined();
    await fallBehind(client);
    room.failure = new StoreError('no answer');
    client.line.open();
    await answered();
    expect(client.socket.closedWith).toBe(1013);
  });

  it('is told that the server failed where a bug keeps it from catching up', async () => {
    const logs = captureLogs();
    const client = await joined();
    await fallBehind(client);
    room.failure = new TypeError('a bug');
    client.line.open();
    await answered();
    expect(client.socket.closedWith).toBe(1011);
    expect(logs.error.filter((line) => line.includes('TypeError: a bug'))).toHaveLength(1);
  });

  it('is no member again by catching up in a room that it left', async () => {
    const client = await joined();
    await fallBehind(client);
    client.line.open();
    await nextTurn();
    client.leave(ROOM);
    await answered();
    expect(node.delivery.membersOf(ROOM)).toBe(0);
    expect(room.released).toBe(true);
  });

  it('R24: is not closed for what it missed, however much that is', async () => {
    for (let count = 0; count < 60; count++) room.write(1, 100_000);
    const client = await joined();
    client.line.block();
    client.join(ROOM, { last: 1_000, state: false });
    const longest = { bytes: 0 };
    await eventually(async () => {
      await answered();
      client.line.takeOne();
      longest.bytes = Math.max(longest.bytes, client.socket.queue!.unreadBytes);
      expect(eventsOf(client)).toHaveLength(lastOf(room));
    });
    expect(client.isOpen).toBe(true);
    expect(longest.bytes).toBeLessThan(1_048_576);
  });

  describe.each([
    ['log', { moves: undefined, events: undefined }],
    ['drop', { moves: undefined, events: 4408 }],
    ['close', { moves: 4408, events: 4408 }],
  ] as const)('R23: in a room of the kind "%s"', (kind, closedWith) => {
    beforeEach(() => {
      room = new LogRoom(`${kind}:1`, node.delivery, new Random(1));
      node.source.rooms = new Map([[room.name, room]]);
    });

    it.each(['moves', 'events'] as const)('gets what its policy promises of %s', async (what) => {
      const client = await joined();
      client.line.block();
      for (let count = 0; count < 8; count++) {
        if (what === 'moves') room.volatile(200_000);
        else room.write(1, 200_000);
        await nextTurn();
      }
      room.write(1, 1);
      await nextTurn();
      expect(client.socket.closedWith).toBe(closedWith[what]);
      client.line.open();
      const all = Array.from({ length: lastOf(room) }, (_, index) => index + 1);
      await eventually(async () => {
        await answered();
        if (client.isOpen) expect(eventsOf(client)).toEqual(all);
      });
      const moves = textsOf(client).filter(({ event }) => event === 'moved');
      expect(moves.length).toBeLessThan(8);
    });
  });

  describe('in several rooms', () => {
    let rooms: LogRoom[];
    let client: WatchedClient;

    beforeEach(async () => {
      rooms = Array.from(
        { length: 6 },
        (_, index) => new LogRoom(`log:${index}`, node.delivery, new Random(index)),
      );
      node.source.rooms = new Map(rooms.map((each) => [each.name, each]));
      room = rooms[0]!;
      client = await joined();
      for (const each of rooms.slice(1)) {
        client.join(each.name, { last: 0, state: false });
        await nextTurn();
        each.answer();
        await nextTurn();
      }
      client.line.block();
      for (const each of rooms) for (let count = 0; count < 4; count++) each.write(1, 100_000);
      await nextTurn();
      expect(rooms.map(({ name }) => node.delivery.lagOf(name, client.socket) !== undefined)).not.toContain(
        false,
      );
    });

    it('catches up in those that can be read though one can not', async () => {
      client.line.open();
      await eventually(async () => {
        for (const each of rooms.slice(1)) each.answer();
        await nextTurn();
        for (const { name } of rooms.slice(1))
          expect(node.delivery.lagOf(name, client.socket)).toBeUndefined();
      });
      expect(node.delivery.lagOf('log:0', client.socket)).toBeDefined();
    });

    it('catches up in a quiet one though the others are busier than it can read', async () => {
      const [quiet] = rooms.splice(-1) as [LogRoom];
      for (let round = 0; round < 60; round++) {
        for (const busy of rooms) busy.write(1, 200_000);
        client.line.takeOne();
        for (const each of [...rooms, quiet]) each.answer();
        await nextTurn();
        await nextTurn();
      }
      expect(node.delivery.lagOf(quiet.name, client.socket)).toBeUndefined();
      expect(client.isOpen).toBe(true);
    });
  });

  describe('in a room with a new history', () => {
    it('is asked for no longer when nobody is there to be told', async () => {
      const client = await joined({ hasLane: true });
      node.numbers.failure = new StoreError('no answer');
      const told = room.changeEpoch();
      await nextTurn();
      client.leave(ROOM);
      await told;
      const { asked } = node.numbers;
      expect(asked).toBeGreaterThan(0);
    });

    it('is closed where a bug keeps it from being told; the others go on', async () => {
      const logs = captureLogs();
      const [failing, other] = [await joined({ hasLane: true }), await joined()];
      node.numbers.failure = new TypeError('a bug');
      await room.changeEpoch();
      await nextTurn();
      expect(failing.socket.closedWith).toBe(1011);
      expect(logs.error.filter((line) => line.includes('TypeError: a bug'))).toHaveLength(1);
      expect(textsOf(other).map(({ event }) => event)).toContain('$epoch');
    });
  });
});

function textsOf(client: WatchedClient): EventFrame[] {
  return client.texts as EventFrame[];
}

function eventsOf(client: WatchedClient): number[] {
  return textsOf(client).flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
}

function lastOf({ position }: LogRoom): number {
  return position.seq;
}
