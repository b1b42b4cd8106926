import { setImmediate as nextTurn } from 'node:timers/promises';
import { Test, type TestingModule } from '@nestjs/testing';
import { bindValue, type RoomHold, type RoomStart, RoomType, type StartRequest } from '@wss/core';
import { Random } from '@wss/testing';
import { ClientConnections } from '../../src/connections/client-connections.js';
import { CommandRouter } from '../../src/commands/command-router.js';
import { Hub } from '../../src/connections/hub.js';
import { MessagingObserver, type SlowClientAction } from '../../src/ports/messaging-observer.js';
import { LaneNumbers, RoomSource } from '../../src/ports/ports.js';
import { RoomDelivery } from '../../src/rooms/room-delivery.js';
import { routerModule } from '../test-ports.js';
import { LogRoom } from './log-room.js';
import { WatchedClient } from './watched-client.js';

@RoomType('log', {})
class LogRooms {}

@RoomType('drop', { backPressure: 'drop' })
class DropRooms {}

@RoomType('close', { backPressure: 'close' })
class CloseRooms {}

/** The rooms of the play that is on. */
class PlayedRooms extends RoomSource {
  rooms = new Map<string, LogRoom>();

  hold(room: string): RoomHold {
    return this.rooms.get(room)!.hold();
  }

  async begin(room: string, request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    const hold = this.hold(room);
    await hold.begin(request, complete).finally(() => hold.release());
  }
}

/** Numbers that take a while to read. */
class SlowNumbers extends LaneNumbers {
  /** The engine's answer, if not numbers. */
  failure?: Error;
  asked = 0;

  constructor(private readonly source: PlayedRooms) {
    super();
  }

  async numbersOf(_room: string, sessions: readonly string[]): Promise<number[]> {
    this.asked++;
    await nextTurn();
    if (this.failure) throw this.failure;
    return sessions.map(() => 1);
  }

  async numberIn(room: string): Promise<{ n: number; epoch: string }> {
    const { epoch } = this.source.rooms.get(room)!.position;
    await nextTurn();
    return { n: 1, epoch };
  }
}

/** Counts what plays came to, so that it shows when they do not come to anything. */
class Counts extends MessagingObserver {
  readonly of: Record<string, number> = {};

  add(what: string): void {
    this.of[what] = (this.of[what] ?? 0) + 1;
  }

  clientSlow(action: SlowClientAction): void {
    this.add(action);
  }

  clientGone(code: number): void {
    this.add(`gone ${code}`);
  }

  commandEnded(): void {}
  upgradeAnswered(): void {}
  clientDrained(): void {}
  delivered(): void {}
  historyChanged(): void {}
}

/** The parts of a node between its feed and its sockets, as the product wires them. */
export class FanoutNode {
  readonly numbers: SlowNumbers;
  readonly counts: Counts;

  private constructor(
    private readonly module: TestingModule,
    readonly source: PlayedRooms,
    { numbers, counts }: { readonly numbers: SlowNumbers; readonly counts: Counts },
  ) {
    this.numbers = numbers;
    this.counts = counts;
  }

  static async start(): Promise<FanoutNode> {
    const source = new PlayedRooms();
    const numbers = new SlowNumbers(source);
    const counts = new Counts();
    const module = await Test.createTestingModule(
      routerModule({
        providers: [
          LogRooms,
          DropRooms,
          CloseRooms,
          bindValue(RoomSource, source),
          bindValue(LaneNumbers, numbers),
          bindValue(MessagingObserver, counts),
        ],
      }),
    ).compile();
    await module.init();
    return new FanoutNode(module, source, { numbers, counts });
  }

  get hub(): Hub {
    return this.module.get(Hub);
  }

  get router(): CommandRouter {
    return this.module.get(CommandRouter);
  }

  get connections(): ClientConnections {
    return this.module.get(ClientConnections);
  }

  get delivery(): RoomDelivery {
    return this.module.get(RoomDelivery);
  }

  stop(): Promise<void> {
    return this.module.close();
  }
}

type Step = 'write' | 'begin' | 'line' | 'member' | 'history' | 'time';

/** How often each kind of step is taken. */
const WEIGHTS: Readonly<Record<Step, number>> = {
  write: 9,
  begin: 3,
  line: 5,
  member: 4,
  history: 1,
  time: 6,
};
const STEPS = Object.entries(WEIGHTS).flatMap(([step, weight]) => Array<Step>(weight).fill(step as Step));

/** Sizes of events, bytes: of most plays, and of those in which clients become too slow. */
const SMALL = [1, 10, 200, 3_000];
const BIG = [10, 20_000, 70_000, 200_000];

/** One random interleaving of everything that may happen between a feed and its members. */
export class FanoutPlay {
  readonly problems: string[] = [];
  private readonly random: Random;
  private readonly rooms: LogRoom[];
  private readonly clients: WatchedClient[] = [];
  private readonly sizes: readonly number[];
  private sessions = 0;

  constructor(
    private readonly node: FanoutNode,
    private readonly seed: number,
  ) {
    this.random = new Random(seed);
    this.sizes = this.random.below(3) === 0 ? SMALL : BIG;
    const kinds = this.random.below(2) === 0 ? ['log', 'drop', 'close'] : ['log'];
    const names = Array.from(
      { length: 1 + this.random.below(3) },
      (_, index) => `${this.random.pick(kinds)}:${seed}-${index}`,
    );
    this.rooms = names.map((name) => new LogRoom(name, node.delivery, this.random));
    node.source.rooms = new Map(this.rooms.map((room) => [room.name, room]));
  }

  /** @returns what broke a promise */
  async run(steps = 90): Promise<string[]> {
    for (let count = 2 + this.random.below(4); count > 0; count--) this.connect();
    for (const client of this.clients) this.join(client);
    for (let step = 0; step < steps; step++) await this.take(this.random.pick(STEPS));
    await this.settle();
    for (const room of this.rooms) room.write(1, 1);
    await this.settle();
    this.judge();
    await this.leaveNothing();
    return this.problems;
  }

  private async take(step: Step): Promise<void> {
    const room = this.random.pick(this.rooms);
    if (step === 'write') this.write(room);
    else if (step === 'begin') room.answer();
    else if (step === 'line') this.useLine(this.random.pick(this.clients));
    else if (step === 'member') this.useMember(this.random.pick(this.clients));
    else if (step === 'history') this.changeHistory(room);
    else if (this.random.below(2) === 0) await nextTurn();
    else await new Promise((resolve) => process.nextTick(resolve));
  }

  private write(room: LogRoom): void {
    const choice = this.random.below(8);
    const isVolatile = choice === 0 || (choice > 4 && room.name.startsWith('close:'));
    if (isVolatile) room.volatile(this.random.pick(this.sizes));
    else if (choice === 1) room.durable();
    else room.write(1 + this.random.below(3), this.random.pick(this.sizes));
  }

  private useLine({ line }: WatchedClient): void {
    const choice = this.random.below(5);
    if (choice < 2) line.block();
    else if (choice < 4) line.takeOne();
    else line.open();
  }

  private useMember(client: WatchedClient): void {
    const choice = this.random.below(12);
    if (choice < 5) this.join(client);
    else if (choice < 8) client.leave(this.random.pick(this.rooms).name);
    else if (choice === 8) this.takeOver(client);
    else if (choice === 9) client.socket.closeWith(1012);
    else if (choice === 10) client.socket.terminate();
    else this.join(this.connect());
  }

  private changeHistory(room: LogRoom): void {
    const choice = this.random.below(7);
    if (!room.settled) return;
    if (choice < 2) void room.changeEpoch();
    else if (choice === 2) void room.rollBack();
    else if (choice === 3) void room.loseLineage();
    else if (choice === 4) void room.missSome();
    else if (choice === 5) room.trim();
    else room.drop();
  }

  private connect(taken?: WatchedClient): WatchedClient {
    const session = taken?.session ?? `s${this.seed}-${++this.sessions}`;
    const client = new WatchedClient({
      connections: this.node.connections,
      router: this.node.router,
      session,
      generation: (taken?.generation ?? 0) + 1,
      hasLane: this.random.below(2) === 0,
    });
    for (const room of this.rooms) client.watch(room);
    this.clients.push(client);
    return client;
  }

  private takeOver(client: WatchedClient): void {
    this.join(this.connect(client));
  }

  private join(client: WatchedClient): void {
    const room = this.random.pick(this.rooms);
    const state = this.random.below(2) === 0;
    const { epoch, seq } = room.position;
    const choice = this.random.below(3);
    const from = choice === 0 ? { epoch, seq: Math.max(0, seq - this.random.below(12)) } : undefined;
    const last = choice === 1 ? this.random.below(10) : 0;
    client.join(room.name, { last, state, ...(from && { from }) });
  }

  /** Lets everything that is on its way arrive. */
  private async settle(): Promise<void> {
    for (const { line } of this.clients) line.open();
    for (let quiet = 0, turn = 0; quiet < 8; turn++) {
      if (turn > 2_000) throw new Error(`seed ${this.seed} does not settle`);
      quiet = this.rooms.every(({ settled }) => settled) ? quiet + 1 : 0;
      for (const room of this.rooms) room.answer();
      await nextTurn();
    }
  }

  private judge(): void {
    const { counts } = this.node;
    for (const client of this.clients) {
      client.judge({ count: (what) => counts.add(what), problem: (problem) => this.problems.push(problem) });
    }
  }

  private async leaveNothing(): Promise<void> {
    for (const { socket } of this.clients) socket.terminate();
    await this.settle();
    for (const { name, followed, released } of this.rooms) {
      if (this.node.delivery.membersOf(name) > 0) this.problems.push(`${name} has members who have gone`);
      if (followed && !released) this.problems.push(`${name} is followed for nobody`);
    }
    if (this.node.hub.size > 0) this.problems.push('clients are left');
  }
}
