import { randomBytes } from 'node:crypto';
import { LuaScript, type RedisKeys, type RedisLinks, toRedisError } from '@wss/redis';
import { RECORD_GRACE_MS, type ResumedSession, type SessionClaim, SessionStore } from './session-store.js';

/** Scripts of the session store, to be preloaded. */
export const SESSION_SCRIPTS = {
  resume: new LuaScript<[generation: number, lanes: string[], rooms: string[]]>(
    new URL('./lua/session_resume.lua', import.meta.url),
  ),
};

/** Sessions in Redis. */
export class RedisSessionStore extends SessionStore {
  constructor(
    private readonly links: Pick<RedisLinks, 'commands'>,
    private readonly keys: RedisKeys,
  ) {
    super();
  }

  async create({ id, user, generation, endsAt }: SessionClaim): Promise<void> {
    const { record } = this.keys.session(id);
    await this.pipeline([
      ['hset', record, 'u', user, 'g', generation, 'e', endsAt],
      ['pexpireat', record, endsAt + RECORD_GRACE_MS],
    ]);
  }

  async resume(claim: SessionClaim, endsAt: number): Promise<ResumedSession | undefined> {
    const { record, lanes, rooms } = this.keys.session(claim.id);
    const args = [claim.user, claim.generation, claim.endsAt, endsAt, RECORD_GRACE_MS];
    const reply = await SESSION_SCRIPTS.resume.run(this.links.commands, [record, lanes, rooms], args);
    const [generation, withLane, member] = reply;
    if (generation === 0) return undefined;
    await this.extendLanes(claim.id, withLane, endsAt);
    return { generation, lanes: withLane, rooms: member };
  }

  addLane(id: string, room: string): Promise<void> {
    return this.add(this.keys.session(id).lanes, room);
  }

  addRoom(id: string, room: string): Promise<void> {
    return this.add(this.keys.session(id).rooms, room);
  }

  async removeRoom(id: string, room: string): Promise<void> {
    await this.call(() => this.links.commands.srem(this.keys.session(id).rooms, room));
  }

  async extend(id: string, endsAt: number): Promise<void> {
    const { record, lanes, rooms } = this.keys.session(id);
    const at = endsAt + RECORD_GRACE_MS;
    const withLane = await this.call(() => this.links.commands.smembers(lanes));
    await this.pipeline([
      ['hset', record, 'e', endsAt],
      ...[record, lanes, rooms].map((key) => ['pexpireat', key, at]),
    ]);
    await this.extendLanes(id, withLane, endsAt);
  }

  private async extendLanes(id: string, rooms: readonly string[], endsAt: number): Promise<void> {
    if (rooms.length === 0) return;
    await this.pipeline(
      rooms.map((room) => ['pexpireat', this.keys.room(room).lane(id), endsAt + RECORD_GRACE_MS]),
    );
  }

  /** Until the session's end is next moved, two days are enough: a session without a connection lives for one. */
  private async add(key: string, room: string): Promise<void> {
    await this.pipeline([
      ['sadd', key, room],
      ['pexpire', key, 2 * 86_400_000, 'NX'],
    ]);
  }

  async secret(): Promise<string> {
    const { commands } = this.links;
    await this.call(() => commands.set(this.keys.secret, randomBytes(32).toString('base64url'), 'NX'));
    return (await this.call(() => commands.get(this.keys.secret)))!;
  }

  private async pipeline(commands: (string | number)[][]): Promise<void> {
    const results = await this.call(() => this.links.commands.pipeline(commands).exec());
    for (const [error] of results ?? []) if (error) throw toRedisError(error);
  }

  private async call<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw toRedisError(error);
    }
  }
}
