import { randomBytes } from 'node:crypto';
import { ENDED_GENERATION } from '@wss/core';
import {
  type DataLinks,
  isDigits,
  isDigitsOr,
  isListOf,
  isListOfAll,
  isText,
  type RedisKeys,
  strangeReply,
  toRedisError,
} from '@wss/redis';
import { laneKeys, type RedisRoomStoreOptions, ROOM_SCRIPTS } from '@wss/state';
import { SESSION_SCRIPTS } from './session-scripts.js';
import {
  CLAIM_MS,
  type ClaimedSession,
  type Claims,
  type CreatedRecord,
  ENDED_MS,
  type EndedRecord,
  type SessionConnection,
  RECORD_GRACE_MS,
  type SecretAgreement,
  type ResumedRecord,
  type SessionClaim,
  type SessionMemberships,
  SessionStore,
  type UserSession,
} from './session-store.js';

/** The secrets that nodes agree on are long; another reply must not sign tokens, nor be written back. */
const isSecret = (reply: unknown): boolean => typeof reply === 'string' && reply.length >= 32;
const isListOfSecrets = isListOfAll(isSecret);
/** A part of a set, and where to read on. */
const isPart = isListOf(isDigits, isListOfAll(isText));

/** Most rooms of a session that are read or extended in one go. */
const AT_ONCE = 256;
/** Number of sessions that are looked at in one go, to find those of a user. */
const SCANNED_AT_ONCE = 1_000;

/** Sessions in Redis. */
export class RedisSessionStore extends SessionStore {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
    private readonly options: Pick<RedisRoomStoreOptions, 'leavesStubs' | 'fence'> = {},
  ) {
    super();
  }

  async create({ id, user, generation }: SessionConnection, ttlMs: number): Promise<CreatedRecord> {
    const { record } = this.keys.session(id);
    const args = [user, generation, ttlMs, RECORD_GRACE_MS];
    const [end, start, history] = await SESSION_SCRIPTS.create.run(this.links.commands, [record], args);
    const endsAt = Number(end);
    await this.noteEnd({ id, user, endsAt });
    return { endsAt, startedAt: Number(start), history };
  }

  async resume(claim: SessionClaim, ttlMs: number, revokedAt?: number): Promise<ResumedRecord | undefined> {
    const { record, lanes, rooms } = this.keys.session(claim.id);
    const args = [
      ...[claim.user, claim.generation, claim.endsAt, ttlMs, RECORD_GRACE_MS],
      ...[claim.startedAt ?? '', claim.history ?? '', revokedAt ?? ''],
    ];
    const reply = await SESSION_SCRIPTS.resume.run(this.links.commands, [record, lanes, rooms], args);
    const [generation, end, hasForgotten, areExtended, startedAt, history = ''] = reply;
    if (generation === 0) return undefined;
    const endsAt = Number(end);
    await this.noteEnd({ ...claim, endsAt });
    if (areExtended === 0) await this.extendLanes(claim.id, endsAt);
    return {
      generation,
      endsAt,
      lanes: [...(await this.membersOf(lanes))],
      rooms: [...(await this.membersOf(rooms))],
      history,
      ...(startedAt && { startedAt: Number(startedAt) }),
      ...(hasForgotten === 1 && { hasForgotten: true }),
    };
  }

  async end(id: string, startedBy?: number): Promise<EndedRecord> {
    const { record, rooms } = this.keys.session(id);
    const args = [startedBy ?? '', ENDED_GENERATION, ENDED_MS];
    const reply = await SESSION_SCRIPTS.end.run(this.links.commands, [record, rooms], args);
    const [user, end, history, isNew] = reply;
    // A claim moves the end too: what is noted again would be told again.
    if (user !== '' && isNew === 1) await this.noteEnded({ id, user, endsAt: Number(end) });
    return { ...(user !== '' && { user }), isEnded: end !== '0', history };
  }

  async drop({ id, user, generation }: SessionConnection): Promise<boolean> {
    const { record, lanes, rooms } = this.keys.session(id);
    const [end, wasThere] = await SESSION_SCRIPTS.drop.run(
      this.links.commands,
      [record, rooms],
      [user, generation],
    );
    const endsAt = Number(end);
    if (endsAt === 0) return false;
    // Also where a call before this one got no further.
    await this.noteEnded({ id, user, endsAt });
    await this.keepLanes(id, endsAt + RECORD_GRACE_MS);
    await this.call(() => this.links.commands.del(lanes));
    return wasThere === 1;
  }

  async membershipsOf(id: string): Promise<SessionMemberships> {
    const { record, rooms } = this.keys.session(id);
    const user = await this.call(() => this.links.commands.hget(record, 'u'));
    return { ...(user && { user }), rooms: [...(await this.membersOf(rooms))] };
  }

  async *sessionsOf(users: ReadonlySet<string>): AsyncGenerator<UserSession[]> {
    const [user] = users.size === 1 ? users : [];
    // The pattern's own characters are escaped; ids have no spaces.
    const match = user === undefined ? '*' : `* ${user.replace(/[\\*?[\]]/g, '\\$&')}`;
    let cursor = '0';
    do {
      const from = cursor;
      const part = await this.call(() =>
        this.links.commands.zscan(this.keys.sessionEnds, from, 'MATCH', match, 'COUNT', SCANNED_AT_ONCE),
      );
      if (!isPart(part)) throw strangeReply();
      const [next, found] = part;
      cursor = next;
      // Each member is followed by its score.
      const sessions = found.flatMap((member, i) => (i % 2 === 0 ? parseMember(member) : []));
      yield sessions.filter((session) => users.has(session.user));
    } while (cursor !== '0');
  }

  durable(id: string, history: string, withinMs: number): Promise<boolean> {
    return (
      this.options.fence?.wait(history, withinMs, this.keys.session(id).record) ?? Promise.resolve(false)
    );
  }

  addLane(id: string, room: string): Promise<void> {
    return this.add(this.keys.session(id).lanes, room);
  }

  async forgetLanes(id: string, rooms: readonly string[]): Promise<string[]> {
    if (rooms.length === 0) return [];
    const { record, lanes, rooms: member } = this.keys.session(id);
    const { commands } = this.links;
    const isMember = await this.call(() => commands.smismember(member, ...rooms));
    const left = rooms.filter((_, i) => isMember[i] === 0);
    const heads = await this.call(() =>
      Promise.all(left.map((room) => commands.hget(this.keys.room(room).lane(id), 'h'))),
    );
    const done = left.filter((_, i) => isAcknowledged(heads[i]));
    if (done.length === 0) return [];
    // The note comes first: forgotten records without it would be taken for lost.
    await this.pipeline([
      ['hset', record, 'f', 1],
      ['pexpire', record, 2 * 86_400_000, 'NX'],
      ['srem', lanes, ...done],
    ]);
    return done;
  }

  async addRoom(id: string, room: string, since?: string): Promise<void> {
    await this.add(this.keys.session(id).rooms, room);
    if (since === undefined) return;
    const args = [sinceField(room), since];
    await SESSION_SCRIPTS.note.run(this.links.commands, [this.keys.session(id).record], args);
  }

  async memberSince(id: string, room: string): Promise<string> {
    const { record } = this.keys.session(id);
    return (await this.call(() => this.links.commands.hget(record, sinceField(room)))) ?? '';
  }

  async removeRoom(id: string, room: string): Promise<void> {
    const { record, rooms } = this.keys.session(id);
    await this.pipeline([
      ['srem', rooms, room],
      ['hdel', record, sinceField(room)],
    ]);
  }

  async extend({ id, user }: Pick<SessionClaim, 'id' | 'user'>, ttlMs: number): Promise<number> {
    const { record, lanes, rooms } = this.keys.session(id);
    const args = [ttlMs, RECORD_GRACE_MS];
    const end = await SESSION_SCRIPTS.extend.run(this.links.commands, [record, lanes, rooms], args);
    const endsAt = Number(end);
    if (endsAt > 0) await this.noteEnd({ id, user, endsAt });
    return endsAt;
  }

  async extendLanes(id: string, endsAt: number): Promise<void> {
    const { record } = this.keys.session(id);
    await this.keepLanes(id, endsAt + RECORD_GRACE_MS);
    // Lanes that were added meanwhile have this end already, or the session's end has moved since.
    await this.pipeline([
      ['hset', record, 'l', endsAt],
      ['pexpire', record, 2 * 86_400_000, 'NX'],
    ]);
  }

  private async keepLanes(id: string, until: number): Promise<void> {
    const { lanes } = this.keys.session(id);
    const extended = new Set<string>();
    for await (const part of this.partsOf(lanes)) {
      const rooms = part.filter((room) => !extended.has(room));
      for (const room of rooms) extended.add(room);
      await Promise.all(rooms.map((room) => this.extendLane(id, room, until)));
    }
  }

  async claimEnded(most: number, claimMs = CLAIM_MS): Promise<Claims> {
    const args = [most, claimMs];
    const reply = await SESSION_SCRIPTS.claim.run(this.links.commands, [this.keys.sessionEnds], args);
    const [now, claim, ...members] = reply;
    const claimed = members.map((member) => ({ ...parseMember(member), claim }));
    const over = await Promise.all(claimed.map((session) => this.isOver(session, Number(now))));
    return { now: Number(now), sessions: claimed.filter((_, i) => over[i]) };
  }

  async forget({ id, user, claim }: ClaimedSession): Promise<void> {
    const args = [memberOf(id, user), claim];
    await SESSION_SCRIPTS.forget.run(this.links.commands, [this.keys.sessionEnds], args);
  }

  /** The record decides: it is written first, and a node may have died before it wrote the end a second time. */
  private async isOver({ id, user }: ClaimedSession, now: number): Promise<boolean> {
    const noted = await this.call(() => this.links.commands.hget(this.keys.session(id).record, 'e'));
    if (!isDigitsOr(null)(noted)) throw strangeReply();
    const endsAt = Number(noted);
    if (endsAt <= now) return true;
    await this.noteEnd({ id, user, endsAt });
    return false;
  }

  /** A session whose end was told has none any more. */
  private async noteEnded({ id, user, endsAt }: Pick<SessionClaim, 'id' | 'user' | 'endsAt'>): Promise<void> {
    const { sessionEnds } = this.keys;
    await this.call(() => this.links.commands.zadd(sessionEnds, 'XX', 'LT', endsAt, memberOf(id, user)));
  }

  private async noteEnd({ id, user, endsAt }: Pick<SessionClaim, 'id' | 'user' | 'endsAt'>): Promise<void> {
    await this.call(() => this.links.commands.zadd(this.keys.sessionEnds, endsAt, memberOf(id, user)));
  }

  private async membersOf(key: string): Promise<Set<string>> {
    const members = new Set<string>();
    for await (const part of this.partsOf(key)) for (const member of part) members.add(member);
    return members;
  }

  /** Yields the members of a set in parts that do not hold up other work; a member may come twice. */
  private async *partsOf(key: string): AsyncGenerator<string[]> {
    let cursor = '0';
    do {
      const from = cursor;
      const part = await this.call(() => this.links.commands.sscan(key, from, 'COUNT', AT_ONCE));
      if (!isPart(part)) throw strangeReply();
      const [next, members] = part;
      cursor = next;
      for (let i = 0; i < members.length; i += AT_ONCE) yield members.slice(i, i + AT_ONCE);
    } while (cursor !== '0');
  }

  /** Extends a lane's keys in its room: they live as long as the record that names the room (R36). */
  private async extendLane(id: string, room: string, until: number): Promise<void> {
    const keys = laneKeys(this.keys.room(room), id);
    const stubs = (this.options.leavesStubs?.() ?? true) ? '+' : '';
    await ROOM_SCRIPTS.keepLane.run(this.links.commands, keys, ['', until, stubs]);
  }

  /** Until the session's end is next moved, two days are enough: a session without a connection lives for one. */
  private async add(key: string, room: string): Promise<void> {
    await this.pipeline([
      ['sadd', key, room],
      ['pexpire', key, 2 * 86_400_000, 'NX'],
    ]);
  }

  async generations(ids: readonly string[]): Promise<(number | undefined)[]> {
    const pipeline = this.links.commands.pipeline();
    for (const id of ids) pipeline.hget(this.keys.session(id).record, 'g');
    const results = (await this.call(() => pipeline.exec())) ?? [];
    return results.map(([error, generation]) => {
      if (error) throw toRedisError(error);
      return generation === null ? undefined : Number(generation);
    });
  }

  async agree({ signs, held, ttlMs }: SecretAgreement): Promise<string[]> {
    const { commands } = this.links;
    const { secret, secrets } = this.keys;
    if (signs) {
      await this.call(() => commands.set(secret, held[0] ?? randomBytes(32).toString('base64url'), 'NX'));
      await this.call(() => commands.persist(secret));
    } else await this.call(() => commands.pexpire(secret, 2 * ttlMs, 'NX'));
    const present = await this.call(() => commands.get(secret));
    const others = await this.call(() => commands.smembers(secrets));
    if (!(present === null || isSecret(present)) || !isListOfSecrets(others)) throw strangeReply();
    const lost = held.filter((one) => one !== present && !others.includes(one));
    if (lost.length > 0) {
      await this.call(() => commands.sadd(secrets, ...lost));
      await this.call(() => commands.pexpire(secrets, 2 * ttlMs));
    }
    return [...new Set([...(present === null ? [] : [present]), ...others, ...held])];
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

/** Field of a session's record with the position since which it is a member of a room; other fields are letters. */
function sinceField(room: string): string {
  return `r ${room}`;
}

/** True if a lane's record holds no reply but the newest; a missing record holds none. */
function isAcknowledged(head: string | null | undefined): boolean {
  const [n = 0, ack = 0] = (head ?? '').split(' ', 2).map(Number);
  return ack >= n - 1;
}

/** One key holds all ends, so it names the user too; ids have no spaces. */
function memberOf(id: string, user: string): string {
  return `${id} ${user}`;
}

function parseMember(member: string): Pick<ClaimedSession, 'id' | 'user'> {
  const end = member.indexOf(' ');
  return { id: member.slice(0, end), user: member.slice(end + 1) };
}
