import { randomUUID } from 'node:crypto';
import {
  type Channels,
  FeedFaults,
  LostHistories,
  RedisChannels,
  RedisSessionStore,
  RoomFeed,
  SESSION_SCRIPTS,
  SessionKeeper,
} from '@wss/cluster';
import {
  Command,
  GatewayError,
  type RecordedAnswer,
  RoomDocument,
  type RoomHold,
  type RoomStart,
  toGatewayError,
} from '@wss/core';
import {
  type ClientFrame,
  encodeError,
  encodeEvent,
  encodeLogEntry,
  encodeReply,
  ERROR_CODES,
  lastSeq,
  type Position,
} from '@wss/protocol';
import { parseRedisTarget, RedisKeys, RedisLinks, ReplicationFence } from '@wss/redis';
import {
  EngineRecorder,
  Committer,
  DocumentRegistry,
  DocumentType,
  RedisRoomStore,
  ROOM_SCRIPTS,
  type RoomScripts,
  RoomStateRepository,
  type RoomStore,
} from '@wss/state';
import { IsInt } from 'class-validator';
import type { Dial } from './connection.js';
import { LocalConnection } from './local-connection.js';
import { LocalDeliveries, Members, viewsOf } from './local-deliveries.js';

/** The namespace of all nodes. */
export const KEYS = new RedisKeys('chaos');
const DEADLINE_MS = 10_000;

/** The demo's counter. */
@RoomDocument('counter', { name: 'counter' })
class LocalCounter {
  @IsInt()
  value = 0;
}

/** A fault planted in a node, so that the checkers have something to find. */
export interface Flaw {
  readonly scripts?: RoomScripts;
  readonly store?: (store: RoomStore) => RoomStore;
  readonly channels?: (channels: Channels) => Channels;
  /** The driver sends again what its connection was cut before it was answered. */
  readonly resends?: boolean;
  /** Errors are answered before the engine has judged the number. */
  readonly answersErrorsAtOnce?: boolean;
}

/** How a node is started. */
export interface LocalNodeOptions {
  /** URL of its Redis, of a proxy as a rule. */
  readonly redis: string;
  readonly flaw?: Flaw;
  /**
   * Each user's last addition, kept outside the engine and shared by all nodes: with it the handler refuses a user who
   * adds the same amount twice in a row, like a handler that finds its work done.
   */
  readonly ledger?: Map<string, number>;
  /** Replicas that a success waits for; default none. */
  readonly replicas?: number;
}

/**
 * A node in this process: the repositories, the feed and the sessions of the product over links of its own, with a
 * router as thin as can be. It speaks the protocol as far as a {@link DriverClient} uses it, may be started with a
 * flaw, and costs no process.
 */
export class LocalNode {
  private readonly committer: Committer;
  private readonly counters: RoomStateRepository<LocalCounter>;
  private readonly recorder: EngineRecorder;
  private readonly feed: RoomFeed;
  private readonly losses = new LostHistories();
  private readonly members = new Members();
  private closed = false;

  private constructor(
    readonly links: RedisLinks,
    readonly store: RoomStore,
    private readonly sessions: SessionKeeper,
    private readonly options: LocalNodeOptions,
  ) {
    const { flaw, replicas = 0 } = options;
    const limits = { history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0, durable: replicas > 0 };
    const nodeId = randomUUID().slice(0, 8);
    const channels: Channels = new RedisChannels(links);
    this.committer = new Committer(store, { of: () => limits }, { nodeId, channels });
    this.counters = new RoomStateRepository(new DocumentType(LocalCounter), {
      store,
      committer: this.committer,
      documents: new DocumentRegistry(),
    });
    this.recorder = new EngineRecorder(this.committer);
    this.feed = new RoomFeed({
      nodeId,
      store,
      channels: flaw?.channels?.(channels) ?? channels,
      keys: KEYS,
      committer: this.committer,
      listener: new LocalDeliveries(this.members, store),
      typeOf: () => limits,
      emptyDocuments: () => new Map([['counter', this.counters.type.emptyJson]]),
      losses: this.losses,
      faults: new FeedFaults(),
    });
  }

  static async start(options: LocalNodeOptions): Promise<LocalNode> {
    const { redis, flaw, replicas = 0 } = options;
    const scripts = flaw?.scripts ?? ROOM_SCRIPTS;
    const links = await RedisLinks.connect({
      target: parseRedisTarget(redis),
      scripts: [...Object.values(scripts), ...Object.values(SESSION_SCRIPTS)],
      commandTimeoutMs: 300,
      withFence: replicas > 0,
    });
    if (flaw?.resends) links.commands.options.autoResendUnfulfilledCommands = true;
    const fence = links.fence && new ReplicationFence(links.fence, KEYS.fence(randomUUID()), replicas);
    const store = new RedisRoomStore(links, KEYS, scripts, { fence });
    const sessions = await SessionKeeper.start(new RedisSessionStore(links, KEYS), { secret: 'chaos' });
    return new LocalNode(links, flaw?.store?.(store) ?? store, sessions, options);
  }

  /** Connects a client of this user. */
  dial(user: string): Dial {
    return async (listener, token) => {
      if (this.closed) throw new Error('the node has gone');
      const { session, token: next, resumed, rooms } = await this.sessions.open(user, token);
      const connection = new LocalConnection(session, listener, {
        onFrame: (from, frame) => void this.handle(from, frame),
        onClose: (from) => this.leave(from),
      });
      if (this.closed) throw new Error('the node has gone');
      this.members.all.add(connection);
      const hello = { session: session.id, token: next, resumed, rooms, client: connection.id, user };
      connection.push(encodeEvent('$hello', hello));
      return connection;
    };
  }

  /** Sends an event that is in no log to everyone in a room. */
  async publishVolatile(room: string, event: string): Promise<void> {
    await this.feed.publishVolatile(room, event, '{}');
  }

  /** Ends at once, like a process that was killed: nothing is answered any more. */
  async kill(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const connection of [...this.members.all]) connection.end(1006);
    this.committer.close();
    this.feed.close();
    this.losses.close();
    this.sessions.close();
    await this.links.close();
  }

  private leave(connection: LocalConnection): void {
    this.members.all.delete(connection);
    this.sessions.disconnected(connection.session);
    for (const [room, hold] of connection.rooms) {
      this.members.of(room).delete(connection);
      hold.release();
    }
  }

  private async handle(connection: LocalConnection, frame: ClientFrame): Promise<void> {
    if (frame.event === '$join') return this.join(connection, frame);
    const { session } = connection;
    const { n, ack = 0, epoch, room } = frame;
    const number = n !== undefined && {
      number: {
        session: session.id,
        generation: session.generation,
        sessionEndsAt: session.endsAt,
        n,
        ack,
        ...(epoch !== undefined && { epoch }),
      },
    };
    const deadline = performance.now() + DEADLINE_MS;
    const order = connection.orderIn(room!);
    const command = new Command({ frame, client: connection, deadline, order, ...number });
    if (command.number) await this.sessions.prepareLane(session, room!).catch(() => undefined);
    await this.settle(connection, command);
    command.pass();
  }

  private async join(connection: LocalConnection, { id, room = '', data }: ClientFrame): Promise<void> {
    const { epoch, seq } = data as Partial<Position>;
    const from = epoch !== undefined && seq !== undefined ? { epoch, seq } : undefined;
    const { session } = connection;
    const hold = this.feed.hold(room);
    try {
      const hasLane = session.hasLane(room);
      const [n] = hasLane ? await this.store.numbers(room, [session.id]) : [];
      const enter = (start: RoomStart): void => {
        if (!connection.open) return;
        connection.rooms.get(room)?.release();
        connection.rooms.set(room, hold);
        this.enter(connection, room, id!, { start, ...(hasLane && { n: n ?? 0 }) });
      };
      await this.beginWhole(hold, from, enter);
    } catch (error) {
      connection.push(encodeError(id, new GatewayError('unavailable', String(error)).toBody()));
    } finally {
      if (connection.rooms.get(room) !== hold) hold.release();
    }
  }

  /** Begins with all parts of the missed events at once: here no client is slow. */
  private async beginWhole(
    hold: RoomHold,
    from: Position | undefined,
    enter: (start: RoomStart) => void,
  ): Promise<void> {
    const parts: RoomStart[] = [];
    for (let at = from, more = true; more;) {
      await hold.begin({ documents: false, ...(at && { from: at }) }, (start) => {
        parts.push(start);
        ({ more } = start);
        if (!more)
          enter(start.recovered ? { ...parts[0]!, entries: parts.flatMap(({ entries }) => entries) } : start);
      });
      const { position, entries } = parts.at(-1)!;
      if (more) at = { epoch: position.epoch, seq: lastSeq(entries.at(-1)!) };
    }
  }

  private enter(
    connection: LocalConnection,
    room: string,
    id: number | string,
    { start, n }: { start: RoomStart; n?: number },
  ): void {
    const { position, recovered, reason, lost, documents, entries } = start;
    this.members.of(room).add(connection);
    const views = documents && viewsOf(documents);
    connection.push(encodeReply(id, { ...position, recovered, n, reason, lost, documents: views }));
    for (const entry of entries) for (const text of encodeLogEntry(room, entry, false)) connection.push(text);
  }

  /** The product's `Answers`, without sockets. */
  private async settle(connection: LocalConnection, command: Command): Promise<void> {
    const answer = await this.run(command);
    if (this.options.flaw?.answersErrorsAtOnce && 'error' in answer) {
      return connection.answer(command, answer, { epoch: '1.now', seq: 0 });
    }
    if (command.number && !command.effect && mayRecord(answer)) {
      try {
        await this.recorder.record(command, answer);
      } catch (error) {
        return connection.answer(command, { error: toGatewayError(error) });
      }
    }
    if (!command.effect) {
      if (command.number) this.recorder.noteMissing(command);
      return connection.answer(command, answer);
    }
    const { position, duplicate } = command.effect;
    connection.answer(command, command.effect.answer(), { ...position, ...(duplicate && { dup: true }) });
  }

  private async run(command: Command): Promise<RecordedAnswer> {
    try {
      return { data: await this.carryOut(command) };
    } catch (error) {
      return { error: toGatewayError(error) };
    }
  }

  private async carryOut(command: Command): Promise<unknown> {
    if (command.event === '$skip') return this.recorder.skip(command);
    if (command.event === 'counter.read') {
      const { value, version } = await this.counters.read(command);
      return { value: value.value, version };
    }
    const { by } = command.data as { by: number };
    if (!Number.isInteger(by)) throw new GatewayError('invalid', 'an integer is needed');
    const { ledger } = this.options;
    if (ledger?.get(command.user) === by) throw new GatewayError('rejected', 'you added that just now');
    ledger?.set(command.user, by);
    return this.counters.update(command, (counter, room) => {
      const value = (counter.value += by);
      room.append('counter.added', { by, value });
      return { value };
    });
  }
}

function mayRecord(answer: RecordedAnswer): boolean {
  return 'data' in answer || ERROR_CODES[answer.error.code].consumesN;
}
