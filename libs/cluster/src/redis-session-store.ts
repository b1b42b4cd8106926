import { randomBytes } from 'node:crypto';
import { LuaScript, type RedisKeys, type RedisLinks, toRedisError } from '@wss/redis';
import { RECORD_GRACE_MS, type SessionClaim, SessionStore } from './session-store.js';

/** Scripts of the session store, to be preloaded. */
export const SESSION_SCRIPTS = {
  resume: new LuaScript<number>(new URL('./lua/session_resume.lua', import.meta.url)),
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

  async resume(claim: SessionClaim, endsAt: number): Promise<number | undefined> {
    const { record, lanes } = this.keys.session(claim.id);
    const args = [claim.user, claim.generation, claim.endsAt, endsAt, RECORD_GRACE_MS];
    const generation = await SESSION_SCRIPTS.resume.run(this.links.commands, [record, lanes], args);
    if (generation === 0) return undefined;
    await this.extend(claim.id, endsAt);
    return generation;
  }

  async addLane(id: string, room: string): Promise<void> {
    const { lanes } = this.keys.session(id);
    await this.pipeline([
      ['sadd', lanes, room],
      // Until the session's end is next moved; the record itself knows it.
      ['pexpire', lanes, 2 * 86_400_000, 'NX'],
    ]);
  }

  async extend(id: string, endsAt: number): Promise<void> {
    const { record, lanes } = this.keys.session(id);
    const at = endsAt + RECORD_GRACE_MS;
    const rooms = await this.call(() => this.links.commands.smembers(lanes));
    await this.pipeline([
      ['hset', record, 'e', endsAt],
      ['pexpireat', record, at],
      ['pexpireat', lanes, at],
      ...rooms.map((room) => ['pexpireat', this.keys.room(room).lane(id), at]),
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
