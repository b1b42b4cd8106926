import { Redis } from 'ioredis';
import type { RedisKeys } from '@wss/redis';
import { eventually } from '@wss/testing';
import type { FinalRoom, Logged } from './history.js';

/** How often the log is read, ms: well before a room with 1,000 events forgets what was not read yet. */
const PERIOD_MS = 100;

/**
 * Keeps the whole log of rooms, though Redis keeps only its end: it reads the raw stream again and again, and always
 * believes the newest reading. It shares no code with the product but the names of the keys.
 */
export class Archive {
  private readonly logs = new Map<string, Logged[]>();
  private readonly closed = new Map<string, Record<string, number>>();
  private timer?: NodeJS.Timeout;
  private reading?: Promise<void>;
  private problem?: Error;

  /** @param port of the present master */
  constructor(
    private readonly keys: RedisKeys,
    private readonly rooms: readonly string[],
    private readonly port: () => number,
  ) {
    for (const room of rooms) {
      this.logs.set(room, []);
      this.closed.set(room, {});
    }
  }

  /** Begins to read, until {@link finish}. */
  start(): void {
    this.timer = setInterval(() => {
      this.reading ??= this.readAll()
        .catch(() => undefined)
        .finally(() => delete this.reading);
    }, PERIOD_MS);
  }

  /** Numbers of the newest events, as Redis holds them now. */
  async tops(): Promise<Map<string, number>> {
    await this.readNow();
    return new Map(this.rooms.map((room) => [room, this.logs.get(room)!.length]));
  }

  /** The log as it was read last. */
  log(room: string): readonly Logged[] {
    return this.logs.get(room)!;
  }

  /** Reads once more and returns the final state of the rooms. */
  async finish(): Promise<FinalRoom[]> {
    clearInterval(this.timer);
    await this.readNow();
    return this.withRedis(async (redis) =>
      Promise.all(this.rooms.map((room) => this.finalRoom(redis, room))),
    );
  }

  /** Stops without a result. */
  stop(): void {
    clearInterval(this.timer);
  }

  private async readNow(): Promise<void> {
    await this.reading;
    await eventually(() => this.readAll(), { withinMs: 10_000 });
    if (this.problem) throw this.problem;
  }

  private async readAll(): Promise<void> {
    await this.withRedis(async (redis) => {
      for (const room of this.rooms) await this.readRoom(redis, room);
    });
  }

  private async readRoom(redis: Redis, room: string): Promise<void> {
    const keys = this.keys.room(room);
    const [stream, meta] = await Promise.all([redis.xrange(keys.log, '-', '+'), redis.hgetall(keys.meta)]);
    const newest = stream.flatMap(([id, [, body = '']]) => loggedOf(id, body));
    const log = this.logs.get(room)!;
    const first = newest[0]?.seq ?? log.length + 1;
    if (first > log.length + 1)
      this.problem = new Error(`${room}: the archive missed ${log.length + 1}…${first - 1}`);
    log.splice(first - 1, Infinity, ...newest);
    // Without a stream nothing is known of its end but the number in the meta hash.
    log.length = Math.min(log.length, newest.at(-1)?.seq ?? Number.parseInt(meta.s ?? '0', 10));
    for (const past of (meta.l ?? '').split(',').filter((text) => text !== '')) {
      const [epoch, end] = past.split('@') as [string, string];
      this.closed.get(room)![epoch] = Number(end);
    }
  }

  private async finalRoom(redis: Redis, room: string): Promise<FinalRoom> {
    const keys = this.keys.room(room);
    const history = await redis.hget(keys.meta, 'e');
    const document = await redis.hget(keys.documents, 'counter');
    return {
      type: 'room',
      room,
      log: [...this.logs.get(room)!],
      epoch: history!.split(' ')[2]!,
      closed: { ...this.closed.get(room)! },
      document: documentOf(document),
    };
  }

  private async withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({
      port: this.port(),
      host: '127.0.0.1',
      retryStrategy: () => null,
      commandTimeout: 1_000,
      lazyConnect: true,
    });
    redis.on('error', () => undefined);
    await redis.connect();
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }
}

/** Events of one command: "<count>[+]", then name and data of each, a line each, and after "+" a patch. */
function loggedOf(id: string, body: string): Logged[] {
  const lines = body.split('\n');
  const count = Number.parseInt(lines[0]!, 10);
  const first = Number(id.split('-')[1]) - count + 1;
  return Array.from({ length: count }, (_, i) => {
    const { by, value } = JSON.parse(lines[2 * i + 2]!) as { by: number; value: number };
    return { seq: first + i, by, value };
  });
}

/** "<epoch>:<seq>|<JSON>". */
function documentOf(text: string | null): FinalRoom['document'] {
  if (text === null) return { version: 0, value: 0 };
  const bar = text.indexOf('|');
  const { value } = JSON.parse(text.slice(bar + 1)) as { value: number };
  return { version: Number(text.slice(text.lastIndexOf(':', bar) + 1, bar)), value };
}
