import type { Random, ServerFrame } from '@wss/testing';
import type { Additions } from './additions.js';
import type { At, History, Operation, Seen } from './history.js';

/** Most commands that are under way at a time; the server keeps 32 replies. */
const WINDOW = 8;

/** Data of `$join`'s reply, `$reset` and `$epoch`. */
interface RoomState extends At {
  readonly recovered?: boolean;
  readonly reason?: string;
  readonly lost?: { readonly from: number; readonly to: number } | null;
  readonly n?: number;
  readonly applied?: number | null;
  readonly durable?: number;
  readonly documents?: { readonly counter?: { readonly version: number; readonly value: { value: number } } };
}

/** One numbered command, until it is answered for good. */
interface Numbered {
  readonly n: number;
  readonly event: string;
  readonly data: object;
  operation?: Operation;
  /** How it was answered; absent while it is not, or not any more. */
  answer?: 'success' | 'error';
  /** Epoch in its answer. */
  epoch?: string;
  /** When its answer came, in the order of everything that this client sent and got. */
  answeredAt: number;
  inFlight: boolean;
  /** It was answered with an error, and that was lost: its number is given up (R5). */
  skip: boolean;
  readonly resolve: () => void;
}

/** The client of a room. */
export interface RoomOwner {
  readonly name: string;
  readonly history: History;
  readonly additions: Additions;
  readonly random: Random;
  request(frame: object, answer: (reply: ServerFrame | undefined) => void): void;
  drop(): void;
}

/** A client's side of one room: what it saw, and the numbers of its commands there. */
export class DriverRoom {
  private position?: At;
  private online = false;
  private wasJoined = false;
  private readonly waiting: (() => void)[] = [];
  private readonly commands: Numbered[] = [];
  /** Commands whose answers have all come. */
  private ack = 0;
  /** Epoch of the last answer. */
  private epoch?: string;
  private additions = 0;
  private clock = 0;
  private retry?: NodeJS.Timeout;

  constructor(
    private readonly name: string,
    private readonly client: RoomOwner,
  ) {}

  /** Resolves when the room is joined. */
  joined(): Promise<void> {
    if (this.wasJoined) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Where it stands in the log. */
  get seq(): number {
    return this.position?.seq ?? 0;
  }

  /** Numbered commands that have no answer. */
  get unanswered(): number {
    return this.commands.length - this.ack;
  }

  isSettled(top: number): boolean {
    return this.online && this.unanswered === 0 && this.seq === top;
  }

  describe(): string {
    return `${this.name}: ${this.online ? 'online' : 'offline'} at ${this.seq}, ${this.unanswered} unanswered`;
  }

  end(): void {
    this.see({ what: 'end', seq: this.seq });
  }

  /** Adds this client's next amount; resolves when it is answered. */
  add(): Promise<void> {
    const { name: client, additions, history } = this.client;
    const index = ++this.additions;
    const by = additions.amount(client, index);
    const operation = history.call({ client, room: this.name, kind: 'add', index, by });
    return this.submit('counter.add', { by }, operation);
  }

  /** Sends a command that is answered with an error; resolves when it is. */
  addInvalid(): Promise<void> {
    return this.submit('counter.add', { by: 0.5 });
  }

  /** Reads without a number; a read that is not answered says nothing. Resolves when it is answered, or can't be. */
  read(): Promise<void> {
    if (!this.online) return Promise.resolve();
    const { history, name: client } = this.client;
    const called = history.now();
    return new Promise((resolve) => {
      this.client.request({ event: 'counter.read', room: this.name, data: {} }, (reply) => {
        if (reply?.data) {
          const { value, version } = reply.data as { value: number; version: number };
          const returned = history.now();
          history.call({ client, room: this.name, kind: 'read', called, returned, value, version });
        }
        resolve();
      });
    });
  }

  /** Joins at the position that it knows; once that and the greeting are answered, commands go on. */
  join(hello: Promise<ServerFrame>): void {
    const sentAt = ++this.clock;
    const { epoch, seq } = this.position ?? {};
    const data = this.position ? { epoch, seq } : {};
    this.client.request({ event: '$join', room: this.name, data }, (reply) => {
      if (!reply) return;
      if (reply.error) {
        this.client.history.count(`joins answered ${reply.error.code}`);
        return this.client.drop();
      }
      this.begin(reply.data as RoomState, sentAt);
      void hello.then(() => this.goOnline());
    });
  }

  offline(): void {
    this.online = false;
    clearTimeout(this.retry);
    delete this.retry;
  }

  /** Takes an event of the room. */
  onEvent({ event, seq, data }: ServerFrame): void {
    if (seq !== undefined) {
      const { by, value } = data as { by: number; value: number };
      this.position = { epoch: this.position!.epoch, seq };
      this.see({ what: 'event', seq, by, value });
    } else if (event === '$reset') {
      const state = data as RoomState;
      this.reset(state);
      if (typeof state.applied === 'number') this.surviveUpTo(state.applied, '$reset', notOf(state.epoch));
    } else if (event === '$epoch') {
      const state = data as RoomState;
      if (state.durable !== undefined) return;
      this.position = { epoch: state.epoch, seq: this.seq };
      this.see({ what: 'epoch', seq: this.seq, epoch: state.epoch });
      if (state.n !== undefined) this.surviveUpTo(state.n, '$epoch', notOf(state.epoch));
    } else {
      this.client.history.count(`${this.client.name} got ${event}`);
    }
  }

  private begin(state: RoomState, sentAt: number): void {
    const { epoch, seq, recovered, n } = state;
    if (!this.position) {
      this.position = { epoch, seq };
      this.see({ what: 'start', seq, epoch });
    } else if (recovered) {
      this.position = { epoch, seq: this.seq };
      this.see({ what: 'continue', seq: this.seq, epoch });
    } else {
      this.reset(state);
    }
    if (n !== undefined) this.surviveUpTo(n, '$join', ({ answeredAt }) => answeredAt < sentAt);
  }

  private goOnline(): void {
    this.online = true;
    this.wasJoined = true;
    for (const resolve of this.waiting.splice(0)) resolve();
    this.pump();
  }

  private reset({ epoch, seq, reason, lost, documents }: RoomState): void {
    this.client.history.count(`resets: ${reason}`);
    this.position = { epoch, seq };
    const counter = documents?.counter;
    this.see({
      what: 'reset',
      seq,
      epoch,
      ...(reason !== undefined && { reason }),
      ...(lost && { lost }),
      ...(counter && { snapshot: { version: counter.version, value: counter.value.value } }),
    });
  }

  private see(item: Omit<Seen, 'type' | 'client' | 'room'>): void {
    this.client.history.add({ type: 'seen', client: this.client.name, room: this.name, ...item });
  }

  private submit(event: string, data: object, operation?: Operation): Promise<void> {
    return new Promise((resolve) => {
      const n = this.commands.length + 1;
      const command: Numbered = { n, event, data, answeredAt: 0, inFlight: false, skip: false, resolve };
      this.commands.push(operation ? { ...command, operation } : command);
      this.pump();
    });
  }

  /** Sends what has to be sent, in the order of the numbers. */
  private pump(): void {
    if (!this.online) return;
    for (const command of this.commands.slice(this.ack, this.ack + WINDOW)) {
      if (command.answer === undefined && !command.inFlight) this.send(command);
    }
  }

  private send(command: Numbered): void {
    const { n, event, data, skip } = command;
    const what = skip ? { event: '$skip', data: {} } : { event, data };
    const frame = { ...what, room: this.name, n, ack: this.ack, epoch: this.epoch };
    const sentAt = ++this.clock;
    command.inFlight = true;
    this.client.request(frame, (reply) => {
      command.inFlight = false;
      if (!reply) return;
      if (reply.error && reply.epoch === undefined) this.refused(command, reply, sentAt);
      else this.answered(command, reply);
    });
  }

  /** The engine has a record of the command, and this is it. */
  private answered(command: Numbered, reply: ServerFrame): void {
    const { history } = this.client;
    const { epoch, seq, dup = false, error } = reply;
    history.count('answers');
    if (dup) history.count('answers from the record');
    command.answer = error || command.skip ? 'error' : 'success';
    command.epoch = epoch!;
    command.answeredAt = ++this.clock;
    this.epoch = epoch!;
    this.advance();
    const { operation } = command;
    if (!operation && !command.skip && error?.code !== 'invalid') {
      history.violation(`${this.client.name}: an invalid command was answered ${JSON.stringify(reply)}`);
    }
    if (operation) this.note(operation, reply, { epoch: epoch!, seq: seq! });
    command.resolve();
    this.pump();
  }

  private note(operation: Operation, { dup, error, data }: ServerFrame, at: At): void {
    operation.returned = this.client.history.now();
    if (dup) operation.dup = true;
    if (error) operation.error = error.code;
    else Object.assign(operation, { at, value: (data as { value: number } | null)?.value });
  }

  /** Nothing was recorded: the number comes again. */
  private refused(command: Numbered, { error }: ServerFrame, sentAt: number): void {
    const { history, name } = this.client;
    history.count(`refusals: ${error!.code}`);
    if (!error!.retry)
      history.violation(`${name}: command ${command.n} was refused: ${JSON.stringify(error)}`);
    const expected = error!.details?.[0]?.expected;
    if (expected !== undefined) {
      this.surviveUpTo(expected - 1, 'out_of_order', ({ answeredAt }) => answeredAt < sentAt);
    }
    this.retry ??= setTimeout(
      () => {
        delete this.retry;
        this.pump();
      },
      10 + this.client.random.next() * 40,
    );
  }

  /** Every answered command above `n` that is old enough for that died (R15): it is done again, or given up (R5). */
  private surviveUpTo(n: number, how: string, isOlder: (command: Numbered) => boolean): void {
    for (const command of this.commands.slice(n)) {
      if (command.answer !== undefined && isOlder(command)) this.lose(command, how);
    }
    this.ack = 0;
    this.advance();
    this.pump();
  }

  private lose(command: Numbered, how: string): void {
    const { history } = this.client;
    history.count(`lost, told by ${how}`);
    if (command.answer === 'error') command.skip = true;
    delete command.answer;
    const { operation } = command;
    if (!operation || operation.error !== undefined) return;
    operation.lost = how;
    command.operation = history.repeat(operation);
  }

  private advance(): void {
    while (this.commands[this.ack]?.answer !== undefined) this.ack++;
  }
}

function notOf(epoch: string): (command: Numbered) => boolean {
  return (command) => command.epoch !== epoch;
}
