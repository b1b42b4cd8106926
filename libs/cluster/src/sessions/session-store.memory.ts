import type { MemoryEngine } from '@wss/state';
import {
  CLAIM_MS,
  type ClaimedSession,
  type Claims,
  type NewSession,
  RECORD_GRACE_MS,
  type ResumedRecord,
  type SessionClaim,
  SessionStore,
} from './session-store.js';
import { SessionTable } from './session-table.memory.js';

/** Sessions of the nodes of one process. */
export class MemorySessionStore extends SessionStore {
  private readonly table = this.engine.table(SessionTable);

  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  create({ id, user, generation }: NewSession, ttlMs: number): Promise<number> {
    return this.engine.call(() => {
      const endsAt = this.engine.now() + ttlMs;
      this.table.rows.set(id, {
        user,
        generation,
        endsAt,
        revoked: false,
        lanes: new Set(),
        rooms: new Set(),
      });
      return endsAt;
    });
  }

  resume(claim: SessionClaim, ttlMs: number): Promise<ResumedRecord | undefined> {
    return this.engine.call(() => {
      const known = this.table.rows.get(claim.id);
      if (known && (known.user !== claim.user || known.revoked)) return undefined;
      if (this.engine.now() >= (known?.endsAt ?? claim.endsAt)) return undefined;
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
        endsAt,
        revoked: false,
        lanes,
        rooms,
        lanesEndAt: endsAt,
        ...hasForgotten,
      });
      if (!areExtended) this.keepLanes(claim.id, lanes, endsAt);
      return { generation, endsAt, lanes: [...lanes], rooms: [...rooms], ...hasForgotten };
    });
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

  addRoom(id: string, room: string): Promise<void> {
    return this.engine.call(() => void this.table.rows.get(id)?.rooms.add(room));
  }

  removeRoom(id: string, room: string): Promise<void> {
    return this.engine.call(() => void this.table.rows.get(id)?.rooms.delete(room));
  }

  extend({ id }: Pick<SessionClaim, 'id'>, ttlMs: number): Promise<number> {
    return this.engine.call(() => {
      const endsAt = this.engine.now() + ttlMs;
      const session = this.table.rows.get(id);
      if (!session) return endsAt;
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
      const over = [...this.table.rows].filter(
        ([, { endsAt, claimedUntil = 0 }]) => endsAt <= now && claimedUntil <= now,
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
      if (session && session.endsAt <= this.engine.now() && String(session.claimedUntil) === claim)
        rows.delete(id);
    });
  }

  generations(ids: readonly string[]): Promise<(number | undefined)[]> {
    return this.engine.call(() => ids.map((id) => this.table.rows.get(id)?.generation));
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
