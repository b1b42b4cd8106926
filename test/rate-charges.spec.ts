import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import {
  Command,
  CurrentCommand,
  GatewayError,
  InjectState,
  RateLimit,
  RoomDocument,
  RoomType,
  StateRepository,
  WssModule,
} from '@wss/nest';
import { FeatureCluster, TestRoom } from '@wss/nest/testing';
import { newSeed, Random } from '@wss/testing';
import { IsInt, IsString } from 'class-validator';

const HOUR = 3_600_000;
/** Of each event, in a room or on a connection. */
const LIMIT = 9;
const EVENTS = [
  'press.stamp',
  'press.ink',
  'press.print',
  'press.either',
  'press.both',
  'press.tear',
] as const;
type Event = (typeof EVENTS)[number];
/** Unacknowledged numbers that a session may have, and some air. */
const MOST_NUMBERS = 28;

class Sheet {
  @IsString()
  id!: string;
}

class Printed {
  @IsInt()
  count!: number;
}

@RoomDocument('press')
class Press {
  @IsInt()
  count = 0;
}

/** The ids of the commands whose handler ran, as often as it did. */
let ran: string[] = [];

@RoomType('press', {})
class PressHandlers {
  constructor(@InjectState(Press) private readonly presses: StateRepository<Press>) {}

  @SubscribeMessage('press.stamp')
  @RateLimit({ per: 'room', limit: LIMIT, windowMs: HOUR })
  stamp(@MessageBody() sheet: Sheet): Sheet {
    ran.push(sheet.id);
    return { id: sheet.id };
  }

  @SubscribeMessage('press.ink')
  @RateLimit({ per: 'client', limit: LIMIT, windowMs: HOUR })
  ink(@MessageBody() sheet: Sheet): Sheet {
    ran.push(sheet.id);
    return { id: sheet.id };
  }

  @SubscribeMessage('press.print')
  @RateLimit({ per: 'room', limit: LIMIT, windowMs: HOUR })
  print(@MessageBody() sheet: Sheet, @CurrentCommand() command: Command): Promise<Printed> {
    ran.push(sheet.id);
    // It fails before its commit, which would have been charged.
    if (sheet.id.endsWith('5')) throw new GatewayError('not_found', 'the sheet is lost');
    return this.add(command);
  }

  @SubscribeMessage('press.either')
  @RateLimit({ per: 'room', limit: LIMIT, windowMs: HOUR })
  either(@MessageBody() sheet: Sheet, @CurrentCommand() command: Command): Sheet | Promise<Printed> {
    ran.push(sheet.id);
    return sheet.id.endsWith('0') ? this.add(command) : { id: sheet.id };
  }

  @SubscribeMessage('press.both')
  @RateLimit({ per: 'client', limit: LIMIT, windowMs: HOUR })
  @RateLimit({ per: 'room', limit: LIMIT, windowMs: HOUR })
  both(@MessageBody() sheet: Sheet): Sheet {
    ran.push(sheet.id);
    return { id: sheet.id };
  }

  @SubscribeMessage('press.tear')
  @RateLimit({ per: 'client', limit: 1_000, windowMs: HOUR })
  @RateLimit({ per: 'room', limit: LIMIT, windowMs: HOUR })
  tear(@MessageBody() sheet: Sheet): Promise<never> {
    ran.push(sheet.id);
    const torn = new GatewayError('not_found', 'the sheet is torn');
    if (sheet.id.endsWith('0')) throw torn;
    return Promise.reject(torn);
  }

  private add(command: Command): Promise<Printed> {
    return this.presses.update(command, (press) => ({ count: ++press.count }));
  }
}

@Module({ imports: [WssModule.forFeature([Press])], providers: [PressHandlers] })
class PressModule {}

interface Sent {
  readonly event: Event;
  readonly id: string;
  readonly n?: number;
  reply?: { readonly code: string; readonly data?: unknown };
}

/** Answers that concern one limit. */
class Count {
  done = 0;
  /** Refused for their number; these may count. */
  early = 0;
}

/** A client that numbers some of its commands, sends old ones again, and comes back on another connection. */
class Author {
  readonly answered: (Sent & { readonly n: number })[] = [];
  ids = 0;
  /** Of this connection. */
  counts = new Map<Event, Count>();

  constructor(
    readonly name: string,
    readonly room: TestRoom,
    private readonly random: Random,
  ) {}

  batch(): Sent[] {
    let n = this.answered.length + 1;
    return Array.from({ length: this.random.below(8) + 1 }, () => {
      const { random, answered } = this;
      if (answered.length > 0 && random.below(3) === 0) return { ...random.pick(answered) };
      const event = random.pick(EVENTS);
      const id = `${this.name}.${++this.ids}`;
      return random.below(2) === 0 && n <= MOST_NUMBERS ? { event, id, n: n++ } : { event, id };
    });
  }

  /** Comes back to a node and sends what it had sent, as a client does that has lost the answers. */
  async comeBack(url: string): Promise<Sent[]> {
    await this.room.client.reconnect(url);
    this.counts = new Map();
    return this.answered.map((sent) => ({ ...sent }));
  }

  async send({ event, id, n }: Sent): Promise<{ code: string; data?: unknown }> {
    const { error, data } = await this.room.request(event, { id }, n === undefined ? {} : { n });
    return error ? { code: error.code } : { code: 'ok', data };
  }
}

describe.each(['memory', 'redis'] as const)('charges of commands over %s', (engine) => {
  let cluster: FeatureCluster;
  let rooms = 0;
  beforeAll(async () => {
    cluster = await FeatureCluster.start({ features: [PressModule], nodes: 2, engine });
    // Each node has seen that it does not always make a commit.
    for (const node of [0, 1]) {
      const room = await cluster.join('first', 'press:0', { node });
      await room.command('press.either', { id: 'first' });
    }
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    ran = [];
  });

  class Run {
    readonly room = `press:${++rooms}`;
    readonly counts = new Map<Event, Count>();
    readonly seen: Record<string, number> = {};
    private authors: Author[] = [];

    constructor(private readonly random: Random) {}

    async go(steps: number): Promise<void> {
      this.authors = await Promise.all(
        ['ann', 'bob', 'eve'].map(async (name, index) => {
          const client = await cluster.connect(name, { node: index % 2, session: true });
          const room = await TestRoom.join(client, this.room);
          return new Author(`${name}${this.room}`, room, this.random.fork());
        }),
      );
      for (let step = 0; step < steps; step++) await this.step();
      await Promise.all(this.authors.map(({ room }) => room.client.terminate()));
    }

    private async step(): Promise<void> {
      const before = tally(ran);
      const parts = await Promise.all(
        this.authors.map(async (author) => {
          const isBack = this.random.below(5) === 0;
          const { url } = this.random.pick(cluster.nodes);
          const sent = isBack ? await author.comeBack(url) : author.batch();
          await Promise.all(sent.map(async (one) => this.take(author, one, await author.send(one))));
          // Replies may overtake each other, but no number is left out.
          const numbers = author.answered.map(({ n }) => n).sort((a, b) => a - b);
          expect(numbers).toEqual(numbers.map((_, index) => index + 1));
          return sent;
        }),
      );
      const after = tally(ran);
      for (const { event, id, reply } of parts.flat()) {
        // A commit judges its limits itself, after its handler has begun.
        if (reply!.code !== 'rate_limited' || event === 'press.print') continue;
        expect([id, after.get(id) ?? 0]).toEqual([id, before.get(id) ?? 0]);
      }
    }

    private take(author: Author, sent: Sent, reply: { code: string; data?: unknown }): void {
      const { event, id, n } = sent;
      this.seen[reply.code] = (this.seen[reply.code] ?? 0) + 1;
      if (sent.reply) {
        expect([id, reply]).toEqual([id, sent.reply]);
        return;
      }
      sent.reply = reply;
      const own = countOf(author.counts, event);
      const all = countOf(this.counts, event);
      if (isDone(reply)) {
        own.done++;
        all.done++;
        if (n !== undefined) {
          author.answered.push({ ...sent, n });
        }
      } else if (reply.code === 'out_of_order') {
        own.early++;
        all.early++;
      } else {
        expect([id, reply.code]).toEqual([id, 'rate_limited']);
      }
    }

    /** Every limit lets through as many as it may, and no more. */
    judge(): void {
      for (const [event, { done }] of this.counts) {
        if (event !== 'press.ink') expect([event, Math.max(done, LIMIT)]).toEqual([event, LIMIT]);
      }
    }

    /** Nothing but commands that were done, or came before their number, has used a limit up. */
    async exhaust(): Promise<void> {
      for (const event of EVENTS) {
        const author = new Author(`last${this.room}`, await cluster.join('last', this.room), this.random);
        const all = countOf(this.counts, event);
        const used = event === 'press.ink' ? { done: 0, early: 0 } : { ...all };
        let done = 0;
        for (let i = 0; i < LIMIT + 1; i++) {
          const reply = await author.send({ event, id: `last.${this.room}.${event}.${i}` });
          if (isDone(reply)) done++;
          else expect(reply.code).toBe('rate_limited');
        }
        expect([event, done <= LIMIT - used.done]).toEqual([event, true]);
        expect([event, done >= LIMIT - used.done - used.early]).toEqual([event, true]);
        await author.room.client.terminate();
      }
    }
  }

  it('a refused command runs no handler, and a repeat that has its answer is charged nothing', async () => {
    const seed = newSeed();
    const seen: Record<string, number> = {};
    for (let i = 0; i < 10; i++) {
      const run = new Run(new Random(seed + i));
      try {
        await run.go(4 + i);
        run.judge();
        await run.exhaust();
      } catch (error) {
        throw new Error(`CHAOS_SEED=${seed}, run ${i}`, { cause: error });
      }
      for (const [code, count] of Object.entries(run.seen)) seen[code] = (seen[code] ?? 0) + count;
    }
    for (const code of ['ok', 'rate_limited', 'out_of_order']) expect(seen[code]).toBeGreaterThan(0);
  }, 120_000);
});

/** A command that fails for good is done, and counts. */
function isDone({ code }: { readonly code: string }): boolean {
  return code === 'ok' || code === 'not_found';
}

function countOf(counts: Map<Event, Count>, event: Event): Count {
  const count = counts.get(event) ?? new Count();
  counts.set(event, count);
  return count;
}

function tally(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}
