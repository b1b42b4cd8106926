import { ENDED_GENERATION } from '@wss/core';
import type { MemoryEngine } from '@wss/state';
import {
  CLAIM_MS,
  type ClaimedSession,
  type Claims,
  type CreatedRecord,
  type EndedRecord,
  ENDED_MS,
  type SessionConnection,
  RECORD_GRACE_MS,
  type ResumedRecord,
  type SessionClaim,
  type SessionMemberships,
  SessionStore,
  type UserSession,
} from './session-store.js';
import { type MemorySession, SessionTable } from './session-table.memory.js';

/** Sessions of the nodes of one process. */
export class MemorySessionStore extends SessionStore {
  private readonly table = this.engine.table(SessionTable);

  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  create({ id, user, generation }: SessionConnection, ttlMs: number): Promise<CreatedRecord> {
    return this.engine.call(() => {
      const startedAt = this.engine.now();
      const endsAt = startedAt + ttlMs;
      this.table.rows.set(id, {
        user,
        generation,
        startedAt,
        endsAt,
        revoked: false,
        lanes: new Set(),
        rooms: new Set(),
        since: new Map(),
      });
      return { endsAt, startedAt, history: this.engine.replicationId };
    });
  }

  resume(claim: SessionClaim, ttlMs: number, revokedAt?: number): Promise<ResumedRecord | undefined> {
    return this.engine.call(() => {
      const known = this.table.rows.get(claim.id);
      if (known && (known.user !== claim.user || known.revoked)) return undefined;
      if (this.engine.now() >= (known?.endsAt ?? claim.endsAt)) return undefined;
      const startedAt = known ? known.startedAt : claim.startedAt;
      if (revokedAt !== undefined && (startedAt ?? 0) <= revokedAt) return undefined;
      const history = this.engine.replicationId;
      if (!known && claim.history === history) return undefined;
      const movedIn = this.engine.now() + ttlMs - (known?.endsAt ?? 0);
      const areExtended = known?.lanesEndAt === known?.endsAt && movedIn >= 0 && movedIn < ttlMs / 8;
      const endsAt = known && areExtended ? known.endsAt : this.engine.now() + ttlMs;
      const generation = Math.max(known?.generation ?? 0, claim.generation) + 1;
      const lanes = known?.lanes ?? new Set<string>();
      const rooms = known?.rooms ?? new Set<string>();
      const hasForgotten = known?.hasForgotten && { hasForgotten: known.hasForgotten };
      this.table.rows.set(claim.id, {
        user: claim.user,
        generation,
        startedAt,
        endsAt,
        revoked: false,
        lanes,
        rooms,
        since: known?.since ?? new Map<string, string>(),
        lanesEndAt: endsAt,
        ...hasForgotten,
      });
      if (!areExtended) this.keepLanes(claim.id, lanes, endsAt);
      const began = startedAt !== undefined && { startedAt };
      return { generation, endsAt, lanes: [...lanes], rooms: [...rooms], history, ...began, ...hasForgotten };
    });
  }

  end(id: string, startedBy?: number): Promise<EndedRecord> {
    return this.engine.call(() => {
      const { rows } = this.table;
      const history = this.engine.replicationId;
      const known = rows.get(id);
      const user = known && known.user !== '' && { user: known.user };
      if (startedBy !== undefined && (known?.startedAt ?? 0) > startedBy)
        return { ...user, isEnded: false, history };
      const endsAt = this.engine.now();
      if (!known) rows.set(id, endedSession(endsAt));
      else if (!known.revoked) Object.assign(known, { revoked: true, endsAt });
      known?.rooms.clear();
      return { ...user, isEnded: true, history };
    });
  }

  drop({ id, user, generation }: SessionConnection): Promise<boolean> {
    return this.engine.call(() => {
      const known = this.table.rows.get(id);
      const now = this.engine.now();
      if (!known || known.revoked || known.endsAt <= now) return false;
      if (known.user !== user || known.generation !== generation) return false;
      known.endsAt = now;
      known.rooms.clear();
      this.keepLanes(id, known.lanes, known.endsAt);
      return true;
    });
  }

  membershipsOf(id: string): Promise<SessionMemberships> {
    return this.engine.call(() => {
      const { user, rooms = [] } = this.table.rows.get(id) ?? {};
      return { ...(user && { user }), rooms: [...rooms] };
    });
  }

  async *sessionsOf(users: ReadonlySet<string>): AsyncGenerator<UserSession[]> {
    yield await this.engine.call(() =>
      [...this.table.rows].flatMap(([id, { user }]) => (users.has(user) ? { id, user } : [])),
    );
  }

  durable(_id: string, history: string): Promise<boolean> {
    return this.engine.call(() => this.engine.replicationId === history);
  }

  addLane(id: string, room: string): Promise<void> {
    return this.engine.call(() => void this.table.rows.get(id)?.lanes.add(room));
  }

  forgetLanes(id: string, rooms: readonly string[]): Promise<string[]> {
    return this.engine.call(() => {
      const session = this.table.rows.get(id);
      if (!session) return [];
      const done = rooms.filter((room) => !session.rooms.has(room) && this.isAcknowledged(room, id));
      for (const room of done) session.lanes.delete(room);
      if (done.length > 0) session.hasForgotten = true;
      return done;
    });
  }

  addRoom(id: string, room: string, since?: string): Promise<void> {
    return this.engine.call(() => {
      const session = this.table.rows.get(id);
      session?.rooms.add(room);
      if (since !== undefined) session?.since.set(room, since);
    });
  }

  memberSince(id: string, room: string): Promise<string> {
    return this.engine.call(() => this.table.rows.get(id)?.since.get(room) ?? '');
  }

  removeRoom(id: string, room: string): Promise<void> {
    return this.engine.call(() => {
      const session = this.table.rows.get(id);
      session?.rooms.delete(room);
      session?.since.delete(room);
    });
  }

  extend({ id }: Pick<SessionClaim, 'id'>, ttlMs: number): Promise<number> {
    return this.engine.call(() => {
      const endsAt = this.engine.now() + ttlMs;
      const session = this.table.rows.get(id);
      if (!session) return endsAt;
      if (session.revoked) return 0;
      session.endsAt = endsAt;
      return endsAt;
    });
  }

  extendLanes(id: string, endsAt: number): Promise<void> {
    return this.engine.call(() => {
      const session = this.table.rows.get(id);
      if (!session) return;
      this.keepLanes(id, session.lanes, endsAt);
      session.lanesEndAt = endsAt;
    });
  }

  claimEnded(most: number, claimMs = CLAIM_MS): Promise<Claims> {
    return this.engine.call(() => {
      const now = this.engine.now();
      this.forgetEnded(now);
      const over = [...this.table.rows].filter(
        ([, { user, endsAt, claimedUntil = 0 }]) => user !== '' && endsAt <= now && claimedUntil <= now,
      );
      const sessions = over.slice(0, most).map(([id, session]) => {
        session.claimedUntil = now + claimMs;
        return { id, user: session.user, claim: String(session.claimedUntil) };
      });
      return { now, sessions };
    });
  }

  forget({ id, claim }: ClaimedSession): Promise<void> {
    return this.engine.call(() => {
      const session = this.table.rows.get(id);
      const { rows } = this.table;
      if (!session || session.endsAt > this.engine.now() || String(session.claimedUntil) !== claim) return;
      // Its tokens may outlive it.
      if (session.revoked) rows.set(id, endedSession(session.endsAt));
      else rows.delete(id);
    });
  }

  private forgetEnded(now: number): void {
    const { rows } = this.table;
    for (const [id, { user, endsAt }] of rows) if (user === '' && endsAt + ENDED_MS <= now) rows.delete(id);
  }

  generations(ids: readonly string[]): Promise<(number | undefined)[]> {
    return this.engine.call(() =>
      ids.map((id) => {
        const known = this.table.rows.get(id);
        return known?.revoked ? ENDED_GENERATION : known?.generation;
      }),
    );
  }

  agree(): Promise<string[]> {
    return Promise.resolve([this.table.secret]);
  }

  private isAcknowledged(room: string, id: string): boolean {
    const { highest, ack } = this.engine.rooms.get(room)?.lanes.get(id) ?? { highest: 0, ack: 0 };
    return ack >= highest - 1;
  }

  private keepLanes(id: string, rooms: Iterable<string>, endsAt: number): void {
    for (const room of rooms) this.engine.keepLane(room, id, endsAt + RECORD_GRACE_MS);
  }
}

/** The rest of a session that was ended for good and told. */
function endedSession(endsAt: number): MemorySession {
  return {
    user: '',
    generation: 0,
    endsAt,
    revoked: true,
    lanes: new Set(),
    rooms: new Set(),
    since: new Map(),
  };
}
