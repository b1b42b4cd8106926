import {
  type DataLinks,
  LuaScript,
  type PresenceKeys,
  RedisError,
  type RedisKeys,
  toRedisError,
} from '@wss/redis';
import {
  type PresenceAnnounced,
  type PresenceChange,
  type PresenceLook,
  PresenceStore,
  type PresenceSweep,
  type PresenceSwept,
  type PresenceUpdate,
  type PresenceUpdated,
  type StoredEntries,
  type StoredUsers,
  SWEEP_ENTRIES,
} from './presence-store.js';

const file = (name: string): URL => new URL(`./lua/presence${name}.lua`, import.meta.url);
const changing = [file(''), file('_announce')] as const;

/** Scripts of the presence store, to be preloaded. */
export const PRESENCE_SCRIPTS = {
  update: new LuaScript<['done', number, number, number, number] | ['late' | 'dead', number]>(
    ...changing,
    file('_update'),
  ),
  sweep: new LuaScript<[left: number, now: number, dueInMs: number, refused: number]>(
    ...changing,
    file('_sweep'),
  ),
  list: new LuaScript<[version: string, count: number, users: string[], metas: (string | null)[]]>(
    file('_list'),
  ),
  inspect: new LuaScript<[replicationId: string, owners: string[], entries: string[]]>(file('_inspect')),
  look: new LuaScript<[string, number, ...string[]]>(file('_look')),
};

/** How long after it was sent an update may still be done, ms; a later one would undo newer changes. */
const UPDATE_VALID_MS = 3_000;

/** Keeps presence in Redis: all keys of a room in one hash slot. */
export class RedisPresenceStore extends PresenceStore {
  /** Each server's clock minus our steady one, ms; unknown before its first answer. */
  private readonly offsets = new WeakMap<object, number>();

  constructor(
    private readonly links: Pick<DataLinks, 'commands' | 'publish' | 'publications' | 'byServer'>,
    private readonly keys: RedisKeys,
  ) {
    super();
  }

  async addRoom(owner: string, room: string): Promise<void> {
    // The two steps run one after the other, since they may concern two servers; their order is the opposite of that
    // in removeOwner.
    await this.call(() => this.links.commands.sadd(this.keys.presenceRooms(owner), room));
    await this.call(() => this.links.commands.sadd(this.keys.presenceOwners, owner));
  }

  async removeRoom(owner: string, room: string): Promise<void> {
    await this.call(() => this.links.commands.srem(this.keys.presenceRooms(owner), room));
  }

  roomsOf(owner: string, most: number): Promise<string[]> {
    return this.call(() => this.links.commands.srandmember(this.keys.presenceRooms(owner), most));
  }

  async removeOwner(owner: string): Promise<void> {
    const { presenceOwners } = this.keys;
    if (await this.hasRooms(owner)) return;
    await this.call(() => this.links.commands.srem(presenceOwners, owner));
    // A room that was added before this is seen here; one that is added after it adds the owner again.
    if (await this.hasRooms(owner)) await this.call(() => this.links.commands.sadd(presenceOwners, owner));
  }

  async update(update: PresenceUpdate): Promise<PresenceUpdated> {
    const { room, owner, changes, pauseMs, heardForMs, withoutGrace } = update;
    const keys = changingKeys(this.keys.presence(room), owner);
    const { channel } = this.keys.room(room);
    const head = [owner, channel, this.links.publish, pauseMs];
    const over = withoutGrace === undefined ? [] : [`!${withoutGrace}`, '', ''];
    const tail = [...changes.flatMap(encodeChange), ...over];
    const server = this.links.byServer([keys[0]!])[0]?.redis ?? this.links;
    for (let attempt = 0; attempt < 3; attempt++) {
      const validUntil = Math.floor(
        performance.now() + (this.offsets.get(server) ?? -Infinity) + UPDATE_VALID_MS,
      );
      const times = [Number.isFinite(validUntil) ? validUntil : 0, heardForMs ?? ''];
      const args = [...head, ...times, ...tail];
      const reply = await PRESENCE_SCRIPTS.update.run(this.links.commands, keys, args);
      const [status, now] = reply;
      this.offsets.set(server, now - performance.now());
      if (status === 'dead') return { status };
      if (status === 'done') {
        const [, , dueInMs, refused, isHere] = reply;
        return {
          status,
          ...this.announced(channel, dueInMs, refused),
          ...(isHere === 1 && { isHere: true }),
        };
      }
      // Redis' clock differs from our estimate; nothing was done.
    }
    throw new RedisError('refused', 'the clock of Redis is not steady long enough');
  }

  async sweep({ room, owner, goneAt, pauseMs }: PresenceSweep): Promise<PresenceSwept> {
    const keys = changingKeys(this.keys.presence(room), owner);
    const { channel } = this.keys.room(room);
    const args = [owner, channel, this.links.publish, pauseMs, goneAt, SWEEP_ENTRIES];
    const [left, , dueInMs, refused] = await PRESENCE_SCRIPTS.sweep.run(this.links.commands, keys, args);
    return { more: left === 1, ...this.announced(channel, dueInMs, refused) };
  }

  async inspect(room: string, owner: string): Promise<StoredEntries> {
    const { owners, entries } = this.keys.presence(room);
    const reply = await PRESENCE_SCRIPTS.inspect.run(this.links.commands, [owners, entries(owner)], []);
    const [replicationId, names, flat] = reply;
    const stored = new Map<string, string>();
    for (let i = 0; i < flat.length; i += 2) stored.set(flat[i]!, flat[i + 1]!);
    return { replicationId, entries: stored, owners: names };
  }

  async list(room: string, after: string, most: number): Promise<StoredUsers> {
    const { state, users, metas } = this.keys.presence(room);
    const reply = await PRESENCE_SCRIPTS.list.run(this.links.commands, [state, users, metas], [after, most]);
    const [version, count, found, told] = reply;
    return {
      version: Number(version),
      count,
      users: found.map((user, index) => ({ user, ...(told[index] && { meta: told[index] }) })),
    };
  }

  count(room: string): Promise<number> {
    return this.call(() => this.links.commands.zcard(this.keys.presence(room).users));
  }

  async look(): Promise<PresenceLook> {
    const { nodes, presenceOwners } = this.keys;
    const reply = await PRESENCE_SCRIPTS.look.run(this.links.commands, [nodes, presenceOwners], []);
    const [replicationId, now, ...rest] = reply;
    const owners = [];
    for (let i = 0; i < rest.length; i += 2) {
      owners.push({ owner: rest[i]!, ...(rest[i + 1] !== '' && { leaseEndsAt: Number(rest[i + 1]) }) });
    }
    return { replicationId, now, owners };
  }

  async claim(owner: string, by: string, ms: number): Promise<boolean> {
    const key = this.keys.presenceClaim(owner);
    const holder = await this.call(() => this.links.commands.set(key, by, 'PX', ms, 'NX', 'GET'));
    if (holder === by) await this.call(() => this.links.commands.pexpire(key, ms));
    return holder === null || holder === by;
  }

  /** @param refused 1 if an announcement was refused, 0 if one was made */
  private announced(channel: string, dueInMs: number, refused: number): PresenceAnnounced {
    if (refused >= 0) this.links.publications.note(channel, refused === 1);
    return { ...(dueInMs >= 0 && { dueInMs }), ...(refused === 1 && { isRefused: true }) };
  }

  private async hasRooms(owner: string): Promise<boolean> {
    return (await this.call(() => this.links.commands.exists(this.keys.presenceRooms(owner)))) === 1;
  }

  private async call<T>(run: () => Promise<T>): Promise<T> {
    if (this.links.commands.status !== 'ready') {
      throw new RedisError('unsent', `the link to Redis is ${this.links.commands.status}`);
    }
    try {
      return await run();
    } catch (error) {
      throw toRedisError(error);
    }
  }
}

function changingKeys(keys: PresenceKeys, owner: string): string[] {
  const { state, users, clients, metas, coming, going, owners, dead, told } = keys;
  return [state, users, clients, metas, coming, going, owners, dead, keys.entries(owner), told];
}

function encodeChange(change: PresenceChange): (string | number)[] {
  return 'user' in change
    ? [`+${change.client}`, change.user, change.meta ?? '']
    : [`-${change.client}`, change.graceMs, ''];
}
