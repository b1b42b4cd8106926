import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { newSeed, Random } from '@wss/testing';
import { ClientConnections, type ConnectionPorts } from '../src/connections/client-connections.js';
import { Departures } from '../src/connections/drain.js';
import { Sockets } from '../src/connections/connections.js';
import type { CommandRouter } from '../src/commands/command-router.js';
import { Flusher } from '../src/socket/flusher.js';
import { HEARTBEAT_SLOTS, Heartbeats } from '../src/connections/heartbeats.js';
import { Upgrades } from '../src/connections/upgrades.js';
import type { RoomAccess } from '../src/rooms/room-access.js';
import type { SlowClients } from '../src/rooms/slow-clients.js';
import { Hub } from '../src/connections/hub.js';
import { WatchedClient } from './fanout/watched-client.js';
import { framesIn } from './fanout/line.js';

const PING = 9;
const CLOSE = 8;
/** A pong without data, masked with nothing, as clients send it. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** Clients of a node, in time that passes by the tick. */
class Beats {
  readonly clients = new Map<WatchedClient, number[]>();
  private readonly flusher = new Flusher();
  private readonly hub = new Hub();
  readonly heartbeats = new Heartbeats(this.hub);
  private readonly router = { clientGone: () => undefined } as unknown as CommandRouter;
  private readonly connections = new ClientConnections(
    new Upgrades(),
    new Sockets(this.flusher, { nodeId: 'n' }),
    this.router,
    this.hub,
    new Departures({} as RoomAccess),
    { drained: () => undefined } as unknown as SlowClients,
    {
      listener: { userCame: () => undefined, clientCame: () => undefined, userLeft: () => undefined },
    } as unknown as ConnectionPorts,
  );
  private sessions = 0;
  now = 0;

  connect(): WatchedClient {
    const { connections, router } = this;
    const session = `s${++this.sessions}`;
    const client = new WatchedClient({ connections, router, session, generation: 1, hasLane: false });
    this.clients.set(client, []);
    return client;
  }

  leave(client: WatchedClient): void {
    client.socket.terminate();
    this.clients.delete(client);
  }

  async tick(): Promise<void> {
    this.now++;
    this.heartbeats.tick();
    await settled();
    for (const [client, pings] of this.clients) if (pingsOf(client) > pings.length) pings.push(this.now);
  }
}

/** Resolves when everything written has arrived and every close has been told. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function pingsOf({ line }: WatchedClient): number {
  return framesIn(line.received).filter(({ opcode }) => opcode === PING).length;
}

function closeCode({ line }: WatchedClient): number | undefined {
  return framesIn(line.received)
    .find(({ opcode }) => opcode === CLOSE)
    ?.payload.readUInt16BE(0);
}

describe('heartbeats', () => {
  afterEach(() => void jest.restoreAllMocks());

  it('R28: reach each client once a period, whoever comes and goes', async () => {
    const seed = newSeed();
    const random = new Random(seed);
    const beats = new Beats();
    const judged: { pings: number[]; cameAt: number; until: number }[] = [];
    const cameAt = new Map<WatchedClient, number>();
    for (let tick = 0; tick < 400; tick++) {
      for (let comes = random.below(4); comes > 0; comes--) cameAt.set(beats.connect(), beats.now);
      for (let goes = random.below(3); goes > 0 && beats.clients.size > 0; goes--) {
        // The oldest too: their places in a list move those of all others.
        const client = random.pick([...beats.clients.keys()].slice(0, 1 + random.below(beats.clients.size)));
        judged.push({ pings: beats.clients.get(client)!, cameAt: cameAt.get(client)!, until: beats.now });
        beats.leave(client);
      }
      await beats.tick();
      for (const client of beats.clients.keys()) client.line.push(PONG);
    }
    for (const [client, pings] of beats.clients) {
      expect(client.isOpen).toBe(true);
      judged.push({ pings, cameAt: cameAt.get(client)!, until: beats.now });
    }
    for (const { pings, cameAt: from, until } of judged) {
      const instants = [from, ...pings, until];
      const gaps = instants.slice(1).map((at, index) => at - instants[index]!);
      const label = `CHAOS_SEED=${seed}: ${instants.join(' ')}`;
      for (const gap of gaps) expect([label, gap <= HEARTBEAT_SLOTS]).toEqual([label, true]);
      for (const gap of gaps.slice(1, -1)) expect([label, gap]).toEqual([label, HEARTBEAT_SLOTS]);
    }
    for (const client of beats.clients.keys()) client.socket.terminate();
  });

  it('R28: give a client a whole period to answer', async () => {
    const beats = new Beats();
    const others = Array.from({ length: 60 }, () => beats.connect());
    const [late, silent] = [beats.connect(), beats.connect()];
    while (silent.isOpen && beats.now < 6 * HEARTBEAT_SLOTS) {
      // They leave in the order in which they came.
      const other = others.shift();
      if (other && beats.now % 2 === 0) beats.leave(other);
      for (const { line } of others) line.push(PONG);
      if (beats.now === (beats.clients.get(late)!.at(-1) ?? 0) + HEARTBEAT_SLOTS - 1) late.line.push(PONG);
      await settled();
      await beats.tick();
    }
    expect(late.isOpen).toBe(true);
    const pingedAt = beats.clients.get(silent)!;
    expect(pingedAt).toHaveLength(1);
    expect(closeCode(silent)).toBe(4409);
    expect(beats.now).toBe(pingedAt[0]! + HEARTBEAT_SLOTS);
    for (const client of beats.clients.keys()) client.socket.terminate();
  });

  it('close a client that takes nothing for 30 s, not one that takes something now and then', async () => {
    const beats = new Beats();
    const [stuck, slow] = [beats.connect(), beats.connect()];
    let now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    for (const { line } of [stuck, slow]) line.block();
    for (let second = 0; second < 60; second++) {
      now += 1_000;
      for (const { socket } of [stuck, slow]) socket.queue?.push(Buffer.alloc(20_000));
      await settled();
      if (second % 20 === 10) slow.line.open();
      await settled();
      slow.line.block();
      beats.heartbeats.tick();
      for (const client of [stuck, slow]) client.socket.alive = true;
    }
    expect([stuck.isOpen, slow.isOpen]).toEqual([false, true]);
    expect(stuck.socket.closedWith).toBe(4408);
    for (const { socket } of [stuck, slow]) socket.terminate();
  });
});
