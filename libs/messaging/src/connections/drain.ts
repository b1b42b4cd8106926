import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, Optional } from '@nestjs/common';
import { encodeEvent, settledWithin } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { Hub } from './hub.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { RoomAccess } from '../rooms/room-access.js';
import { Upgrades } from './upgrades.js';

/** Rooms that one client leaves in a turn of the event loop. */
const ROOMS_AT_ONCE = 32;

/** How often a group of clients is let go, ms. */
const GROUP_MS = 50;
/** How long clients have to answer the close frame after the deadline, and then sockets to tell their end, ms. */
const ANSWER_MS = 1_000;

/** Options of a drain. */
export interface DrainOptions {
  /** How long to wait for the balancer before the first of them goes, ms. Default 0. */
  readonly delayMs?: number;
  /** Time over which their departure is spread, and so their return, ms. */
  readonly windowMs: number;
  /** Lets all that are left go at once when it is aborted: at the deadline of the drain, or in a hurry. */
  readonly over: AbortSignal;
}

/** Takes clients whose connections have gone out of their rooms, each of them out of some rooms in a turn. */
@Injectable()
export class Departures {
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly rooms: RoomAccess) {}

  /**
   * Takes a client out of all of its rooms: out of the first ones at once, out of the others soon.
   * @param forGood true if its user does not come back, so that presence keeps no grace
   */
  begin(client: ClientSocket, forGood: boolean): void {
    const rooms = client.joinedRooms();
    this.leaveSome(client, rooms, forGood);
    if (rooms.length === 0) return;
    const rest = this.leaveRest(client, rooms, forGood).finally(() => this.underWay.delete(rest));
    this.underWay.add(rest);
  }

  /** Resolves when the clients that have gone are in no room any more. */
  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  private async leaveRest(client: ClientSocket, rooms: string[], forGood: boolean): Promise<void> {
    while (rooms.length > 0) {
      await nextTurn();
      this.leaveSome(client, rooms, forGood);
    }
  }

  private leaveSome(client: ClientSocket, rooms: string[], forGood: boolean): void {
    for (const room of rooms.splice(0, ROOMS_AT_ONCE)) {
      if (forGood) this.rooms.end(client, room);
      else this.rooms.unfollow(client, room);
    }
  }
}

/**
 * Lets all clients go: in groups spread over a window, each told when to come back, so that the other nodes do not
 * get them all at once. Each has a place in the window: a client that leaves at its place may come back at once, one
 * that leaves earlier waits for it. A client whose commands are under way is not read from any more, and is let go
 * when they have been answered.
 */
@Injectable()
export class Drain {
  private readonly logger = new Logger(Drain.name);

  constructor(
    private readonly hub: Hub,
    private readonly upgrades: Upgrades,
    private readonly departures: Departures,
    @Optional() private readonly observer?: MessagingObserver,
  ) {}

  /** Refuses upgrades with 503 from now on, including those that are being admitted. */
  refuseNew(): void {
    this.upgrades.refuseAll();
  }

  /** Resolves when no client is left, and none in a room; at most two seconds after it is over. */
  async run({ delayMs = 0, windowMs, over }: DrainOptions): Promise<void> {
    this.refuseNew();
    await pause(delayMs, over);
    await this.letAllGo(windowMs, over);
  }

  private async letAllGo(windowMs: number, over: AbortSignal): Promise<void> {
    const clients = [...this.hub.all()];
    if (clients.length > 0) this.logger.log(`letting ${clients.length} clients go`);
    const overEvent = aborted(over);
    const size = Math.ceil(clients.length / Math.max(1, Math.ceil(windowMs / GROUP_MS)));
    const gone: Promise<void>[] = [this.upgrades.allAnswered()];
    const startedAt = performance.now();
    for (const [index, client] of clients.entries()) {
      if (index > 0 && index % size === 0) await pause(GROUP_MS, over);
      gone.push(this.letGo(client, startedAt + (index / size) * GROUP_MS, overEvent));
    }
    const late = new AbortController();
    await Promise.race([Promise.all(gone), overEvent.then(() => pause(ANSWER_MS, late.signal))]);
    late.abort();
    await settledWithin(Promise.all([...this.hub.all()].map((client) => this.cut(client))), ANSWER_MS);
    await this.departures.settled();
  }

  /** Its rooms are known to be left only when its socket has told its end. */
  private async cut(client: ClientSocket): Promise<void> {
    const closed = closeOf(client);
    client.terminate();
    this.observer?.clientDrained('cut');
    await closed;
  }

  /** @param backAt when the client may come back, on the steady clock */
  private async letGo(client: ClientSocket, backAt: number, over: Promise<void>): Promise<void> {
    const closed = closeOf(client);
    if (client.inFlight > 0) {
      // Otherwise a client that sends without a pause would never be idle.
      client.pause();
      await Promise.race([new Promise<void>((resolve) => (client.whenIdle = resolve)), over]);
    }
    const reconnectInMs = Math.max(0, Math.round(backAt - performance.now()));
    client.reply(encodeEvent('$notice', { reconnectInMs }));
    client.closeWith(1012);
    // The client's next node carries out commands that were sent and not read here; the answer to the close frame is
    // read.
    client.dropFrames();
    client.resume();
    await closed;
    this.observer?.clientDrained('closed');
  }
}

/** Resolves when a client's socket is closed, and those that were told before have done their part. */
function closeOf({ socket }: ClientSocket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Waits, but no longer than until the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
