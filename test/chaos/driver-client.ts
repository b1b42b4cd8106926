import { setTimeout as delay } from 'node:timers/promises';
import type { ServerFrame } from '@wss/testing';
import type { Additions } from './additions.js';
import type { Connection, Dial } from './connection.js';
import { DriverRoom } from './driver-room.js';
import type { History } from './history.js';
import type { Random } from '@wss/testing';

/** A connection on which a request stays unanswered for this long is given up, ms. */
const IMPATIENCE_MS = 2_500;
const TICK_MS = 100;

/** Options of a client. */
export interface DriverClientOptions {
  /** Its user, and its name in the history. */
  readonly name: string;
  readonly rooms: readonly string[];
  readonly dial: Dial;
  readonly history: History;
  readonly additions: Additions;
  readonly random: Random;
}

interface Request {
  readonly since: number;
  /** Told nothing when the connection ended first. */
  readonly answer: (reply: ServerFrame | undefined) => void;
}

/**
 * A client that follows the protocol by the letter: it goes on with its session on whichever node it reaches, joins
 * its rooms at its positions, sends what was not answered again with the same number, and does again what was
 * declared lost. It writes down everything that it did, was told and saw.
 */
export class DriverClient {
  readonly name: string;
  readonly history: History;
  readonly additions: Additions;
  readonly random: Random;
  private readonly rooms: ReadonlyMap<string, DriverRoom>;
  private readonly dial: Dial;
  private connection?: Connection;
  private token?: string;
  private session?: string;
  private requests = new Map<number, Request>();
  private lastId = 0;
  private wanted = false;
  private running?: Promise<void>;
  private onGone?: () => void;
  private onHello?: (frame: ServerFrame) => void;

  constructor({ name, rooms, dial, history, additions, random }: DriverClientOptions) {
    this.name = name;
    this.dial = dial;
    this.history = history;
    this.additions = additions;
    this.random = random;
    this.rooms = new Map(rooms.map((room) => [room, new DriverRoom(room, this)]));
  }

  room(name: string): DriverRoom {
    return this.rooms.get(name)!;
  }

  /** Stays connected from now on; resolves when it has joined all its rooms for the first time. */
  async connect(): Promise<void> {
    this.wanted = true;
    this.running ??= this.stayConnected();
    await Promise.all([...this.rooms.values()].map((room) => room.joined()));
  }

  /** Loses its connection, and gets a new one at once. */
  drop(): void {
    this.connection?.terminate();
  }

  /** Leaves without a word; its session stays. Resolves when it is gone. */
  async disconnect(): Promise<void> {
    this.wanted = false;
    this.connection?.terminate();
    await this.running;
    delete this.running;
  }

  /** True if everything it sent is answered, everything lost was done again, and it saw all of its rooms. */
  isSettled(tops: ReadonlyMap<string, number>): boolean {
    return [...this.rooms].every(([name, room]) => room.isSettled(tops.get(name)!));
  }

  /** Where it stands, for error messages. */
  describe(): string {
    return [...this.rooms.values()].map((room) => `${this.name} ${room.describe()}`).join('; ');
  }

  /** Notes that it saw everything that there was. */
  end(): void {
    for (const room of this.rooms.values()) room.end();
  }

  /** Sends a frame and hands over its reply, or nothing when the connection ends first. */
  request(frame: object, answer: (reply: ServerFrame | undefined) => void): void {
    const id = ++this.lastId;
    this.requests.set(id, { since: this.history.now(), answer });
    this.connection?.send({ ...frame, id });
  }

  private async stayConnected(): Promise<void> {
    const timer = setInterval(() => this.watch(), TICK_MS);
    while (this.wanted) {
      try {
        await this.connectOnce();
      } catch {
        this.history.count('connections that failed');
      }
      if (this.wanted) await delay(10 + this.random.next() * 40);
    }
    clearInterval(timer);
  }

  /** One connection from its beginning to its end. */
  private async connectOnce(): Promise<void> {
    const gone = new Promise<void>((resolve) => (this.onGone = resolve));
    const hello = new Promise<ServerFrame>((resolve) => (this.onHello = resolve));
    let open = true;
    const connection = await this.dial(
      {
        onFrame: (frame) => open && this.onFrame(frame),
        onClose: (code) => {
          open = false;
          this.onClose(code);
        },
      },
      this.token,
    );
    if (!open) return;
    this.connection = connection;
    if (!this.wanted) connection.terminate();
    // Joins need not wait for the greeting; numbered commands do.
    for (const room of this.rooms.values()) room.join(hello);
    await gone;
  }

  private onFrame(frame: ServerFrame): void {
    if (frame.id !== undefined) {
      const request = this.requests.get(frame.id as number);
      this.requests.delete(frame.id as number);
      if (request) request.answer(frame);
      else this.history.violation(`${this.name}: a second reply to a request`);
    } else if (frame.event === '$hello') {
      this.greet(frame as ServerFrame<{ session: string; token: string }>);
    } else if (frame.room !== undefined) {
      this.room(frame.room).onEvent(frame);
    } else if (frame.event === 'error') {
      this.history.violation(`${this.name}: an error without a request: ${JSON.stringify(frame)}`);
    }
  }

  private greet(frame: ServerFrame<{ session: string; token: string }>): void {
    const { session, token } = frame.data!;
    if (this.session !== undefined && session !== this.session) {
      this.history.violation(`${this.name}: the session was not resumed`);
    }
    this.session = session;
    this.token = token;
    this.onHello?.(frame);
  }

  private onClose(code: number): void {
    this.history.count(`connections closed with ${code}`);
    delete this.connection;
    const requests = this.requests;
    this.requests = new Map();
    for (const room of this.rooms.values()) room.offline();
    for (const { answer } of requests.values()) answer(undefined);
    this.onGone?.();
  }

  private watch(): void {
    const [oldest] = this.requests.values();
    if (!oldest || this.history.now() - oldest.since < IMPATIENCE_MS) return;
    this.history.count('connections given up');
    this.connection?.terminate();
  }
}
