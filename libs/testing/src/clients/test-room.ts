import type { DocumentView, LostRange, Position } from '@wss/protocol';
import { patience } from '../waiting/patience.js';
import { type DocumentPatches, RoomCopies } from './room-copies.js';
import { CommandFailed, type ServerFrame } from './server-frame.js';
import type { PresenceAnnouncement, RequestOptions, TestClient } from './test-client.js';

/** How a {@link TestRoom} is joined. */
export interface TestRoomOptions {
  /** Keeps live copies of the room's documents, see {@link TestRoom.document}; default true, with `last` false. */
  readonly state?: boolean;
  /** So many of the newest events are shown first, at most 10,000; default none. It can't be had with `state`. */
  readonly last?: number;
  /** The data that others see beside the user, at most 1,024 bytes of JSON; default none. */
  readonly meta?: object;
}

/** An event of a room, as its members get it. */
export interface TestRoomEvent<Data = unknown> {
  readonly event: string;
  /** Its number in the room's log; absent if it is volatile. */
  readonly seq?: number;
  readonly data: Data;
}

/** A user in a room, with the data that its newest client gave. */
export interface TestRoomUser {
  readonly user: string;
  readonly meta?: object;
}

/** The reply to `$join`; `$reset` has the same parts. */
interface JoinReply extends Position {
  readonly missed?: number;
  readonly lost?: LostRange | null;
  readonly documents?: Readonly<Record<string, DocumentView>>;
}

interface UsersPart {
  readonly users: readonly TestRoomUser[];
  readonly next?: string;
}

/** The part of a room's log that {@link TestRoom.history} reads. */
export interface TestRoomRange {
  /** Events before this number; default: all up to now. */
  readonly before?: number;
  /** The newest of them, so many; default: as far as the log reaches. */
  readonly limit?: number;
}

interface HistoryPart {
  readonly epoch: string;
  readonly events: readonly TestRoomEvent[];
  readonly next?: number;
  readonly reason?: string;
}

/**
 * A user's client in one room. It checks what the room promises: its events come in one order, each once and without a
 * gap, and each patch fits the live copy. The next wait fails when one of this was broken.
 */
export class TestRoom {
  /**
   * Events of the room's log that were seen since the join, in order. At a `$reset` those that a failover took back are
   * removed, and events that its documents contain already do not follow.
   */
  readonly log: TestRoomEvent[] = [];
  /** Announcements of users who came and went, in order; the array grows. */
  readonly announcements: PresenceAnnouncement[] = [];
  private readonly copies = new RoomCopies();
  private readonly faults: string[] = [];
  private at?: Position;

  private constructor(
    /** The user's client, which may be in other rooms too. */
    readonly client: TestClient,
    /** E.g. `poll:1`. */
    readonly name: string,
    private readonly options: TestRoomOptions,
  ) {}

  /**
   * Joins a room.
   * @throws CommandFailed e.g. `forbidden` when a guard says no, `not_found` when no class declares the kind of room
   */
  static async join(client: TestClient, name: string, options: TestRoomOptions = {}): Promise<TestRoom> {
    const room = new TestRoom(client, name, options);
    client.attach(room);
    try {
      await room.join();
      return room;
    } catch (error) {
      client.detach(room);
      throw error;
    }
  }

  /** Where this client is in the room's history: epoch, and number of the last event that it has seen. */
  get position(): Position {
    if (!this.at) throw new Error(`${this.name} is not joined`);
    return this.at;
  }

  /** True if it keeps live copies of the room's documents. */
  get keepsState(): boolean {
    const { last, state = last === undefined } = this.options;
    return state;
  }

  /**
   * Sends a command in this room and resolves with the data of its reply. The reply may come before the command's
   * events: wait for those by {@link event}.
   * @throws CommandFailed when the reply is an error
   */
  command<Data = unknown>(event: string, data?: unknown, options?: RequestOptions): Promise<Data> {
    return this.client.command<Data>(event, data, { ...options, room: this.name });
  }

  /**
   * Sends a command in this room and resolves with its reply, which may be an error.
   * @throws Error when no reply comes in time or the connection ends first
   */
  request<Data = unknown>(
    event: string,
    data?: unknown,
    options?: RequestOptions,
  ): Promise<ServerFrame<Data>> {
    return this.client.request<Data>(event, data, { ...options, room: this.name });
  }

  /**
   * Takes the room's first event of that name that was not taken yet, or waits for it; others stay.
   * @param withinMs milliseconds; default {@link setPatience}'s, 4,000
   * @throws Error with the received frames when the time is over or the connection ends first
   */
  async event<Data = unknown>(name: string, withinMs = patience()): Promise<TestRoomEvent<Data>> {
    const what = `the event ${name} of ${this.name}`;
    return this.take<Data>(what, (frame) => frame.event === name, withinMs);
  }

  /**
   * Takes the next events of the room's log that were not taken yet, as many as there are names, and waits for them.
   * @throws Error when they have other names or another order, or one does not come within {@link setPatience}'s time
   */
  async events(...names: string[]): Promise<TestRoomEvent[]> {
    const events: TestRoomEvent[] = [];
    for (const name of names) {
      const what = `the next event of ${this.name}, ${name},`;
      const next = await this.take(what, ({ seq }) => seq !== undefined, patience());
      if (next.event !== name) {
        throw new Error(`event ${next.seq} of ${this.name} is ${next.event}, not ${name}`);
      }
      events.push(next);
    }
    return events;
  }

  /**
   * The live copy of a document: after the event with number n it is the document at n.
   * @throws Error when the room has no document of this name, or was joined without `state`
   */
  document<Document = unknown>(name: string): Document {
    this.check();
    const value = this.copies.get(name);
    if (value === undefined) throw new Error(`${this.name} has no live copy of a document "${name}"`);
    return value as Document;
  }

  /** Live copies of all documents of the room, by name. */
  documents(): Record<string, unknown> {
    this.check();
    return this.copies.all();
  }

  /**
   * Reads from the cluster who is in the room, in the order of their names.
   * @throws CommandFailed `not_found` when the kind of room does not show who is in it
   */
  async users(): Promise<TestRoomUser[]> {
    const users: TestRoomUser[] = [];
    for (let after: string | undefined; ;) {
      const page: UsersPart = await this.command('$presence', { after, limit: 500 });
      users.push(...page.users);
      after = page.next;
      if (after === undefined) return users;
    }
  }

  /**
   * Reads events of the room's log from the cluster, oldest first, also those from before the join.
   * @throws CommandFailed `forbidden` for a client that was removed; Error when a failover takes events back meanwhile
   */
  async history({ before, limit = Infinity }: TestRoomRange = {}): Promise<TestRoomEvent[]> {
    const events: TestRoomEvent[] = [];
    let from: { before?: number | undefined; epoch?: string } | undefined = { before };
    while (from && events.length < limit) {
      const range: TestRoomRange = { ...from, limit: Math.min(500, limit - events.length) };
      const { epoch, next, reason = 'trimmed', ...page }: HistoryPart = await this.command('$history', range);
      if (reason !== 'trimmed') throw new Error(`the history of ${this.name} changed: ${reason}`);
      events.unshift(...page.events);
      from = next === undefined ? undefined : { before: next, epoch };
    }
    return events;
  }

  /** Leaves the room; its events come no more. */
  async leave(): Promise<void> {
    await this.command('$leave', {});
    this.client.detach(this);
  }

  /**
   * Joins, or joins again from where it was.
   * @internal
   */
  async join(): Promise<void> {
    const { last, meta } = this.options;
    const data = { ...(this.at ?? { last }), state: this.keepsState, meta };
    const start = (reply: ServerFrame): ServerFrame => {
      if (reply.data) this.start(reply.data as JoinReply);
      return reply;
    };
    const reply = await this.client.ask('$join', data, { room: this.name }, start);
    if (reply.error) throw new CommandFailed('$join', reply.error, reply);
  }

  /**
   * Takes a frame of this room in the moment when it comes.
   * @internal
   */
  hear({ event, seq, data, patch }: ServerFrame): void {
    if (!this.at || event === undefined) return;
    if (event === '$epoch') this.at = { epoch: (data as Position).epoch, seq: this.at.seq };
    else if (event === '$reset') this.start(data as JoinReply);
    else if (event === '$presence') this.announcements.push(data as PresenceAnnouncement);
    else if (seq !== undefined) this.append({ event, seq, data }, patch as DocumentPatches | undefined);
  }

  private start({ epoch, seq, missed = 0, lost, documents }: JoinReply): void {
    const firstLost = lost ? this.log.findIndex((event) => event.seq! >= lost.from) : -1;
    if (firstLost >= 0) this.log.splice(firstLost);
    if (documents) this.copies.start(documents);
    this.at = { epoch, seq: documents ? seq : (this.at?.seq ?? seq - missed) };
  }

  private append(event: TestRoomEvent & { readonly seq: number }, patches: DocumentPatches = {}): void {
    const { epoch, seq } = this.at!;
    if (event.seq !== seq + 1) this.faults.push(`event ${event.seq} came after event ${seq}`);
    this.at = { epoch, seq: event.seq };
    this.log.push(event);
    try {
      this.copies.follow(patches, event.seq);
    } catch (error) {
      this.faults.push((error as Error).message);
    }
  }

  private async take<Data>(
    what: string,
    matches: (frame: ServerFrame) => boolean,
    withinMs: number,
  ): Promise<TestRoomEvent<Data>> {
    const isOurs = (frame: ServerFrame): boolean => frame.room === this.name && matches(frame);
    try {
      const { event, seq, data } = await this.client.take(what, isOurs, withinMs);
      return { event: event!, ...(seq !== undefined && { seq }), data: data as Data };
    } finally {
      this.check();
    }
  }

  private check(): void {
    const [fault] = this.faults;
    if (fault !== undefined) throw new Error(`${this.name} broke its promise: ${fault}`);
  }
}
