import { type DataLinks, isListOfAll, isNumber, isText, LuaScript, type RedisKeys } from '@wss/redis';
import type { SessionConnection } from '../sessions/session-store.js';
import { type WaitingLimit, WaitingStore } from './waiting-store.js';

/** Scripts of the notes, to be preloaded. */
export const WAITING_SCRIPTS = {
  note: new LuaScript<string[]>(new URL('./lua/waiting_note.lua', import.meta.url)).replies(
    isListOfAll(isText),
  ),
  forget: new LuaScript<number>(new URL('./lua/waiting_forget.lua', import.meta.url)).replies(isNumber),
};

/** The notes in Redis: a hash and a sorted set for each user, in one hash slot. */
export class RedisWaitingStore extends WaitingStore {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
  ) {
    super();
  }

  async note(
    { id, user, generation }: SessionConnection,
    node: string | undefined,
    { most, keptMs, restMs, scanMs }: WaitingLimit,
    alive?: readonly string[],
  ): Promise<readonly SessionConnection[] | 'alive'> {
    const limits = [most, keptMs, restMs, scanMs, alive ? 1 : 0];
    const args = [id, generation, node ?? '', ...limits, ...(alive ?? [])];
    const reply = await WAITING_SCRIPTS.note.run(this.links.commands, this.keysOf(user), args);
    if (reply[0] === 'alive' && reply.length === 1) return 'alive';
    return reply.flatMap((session, i) =>
      i % 2 === 0 ? [{ id: session, user, generation: Number(reply[i + 1]) }] : [],
    );
  }

  async forget({ id, user, generation }: SessionConnection): Promise<void> {
    await WAITING_SCRIPTS.forget.run(this.links.commands, this.keysOf(user), [id, generation]);
  }

  private keysOf(user: string): string[] {
    const { sessions, waiting } = this.keys.userSessions(user);
    return [sessions, waiting];
  }
}
