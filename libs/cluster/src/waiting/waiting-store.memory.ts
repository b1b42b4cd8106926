import { type MemoryEngine, MemoryTable } from '@wss/state';
import type { SessionConnection } from '../sessions/session-store.js';
import { type WaitingLimit, WaitingStore } from './waiting-store.js';

const AT_ONCE = 16;

interface Noted {
  generation: number;
  /** Absent since the connection was lost. */
  node?: string | undefined;
}

/** The sessions of a user. */
class UserSessions {
  readonly noted = new Map<string, Noted>();
  /** Since when each has no connection, in the order of time. */
  readonly waiting = new Map<string, number>();
  scanAt = 0;
  endsAt = 0;
}

/** The notes of the nodes of one process; nothing of them is in a snapshot. */
export class WaitingTable extends MemoryTable<never> {
  readonly name = 'waiting';
  readonly users = new Map<string, UserSessions>();
}

/** The twin of `waiting_note.lua`. */
export class MemoryWaitingStore extends WaitingStore {
  private readonly table: WaitingTable;

  constructor(private readonly engine: MemoryEngine) {
    super();
    this.table = engine.table(WaitingTable);
  }

  note(
    connection: SessionConnection,
    node: string | undefined,
    limit: WaitingLimit,
    alive?: readonly string[],
  ): Promise<readonly SessionConnection[] | 'alive'> {
    return this.engine.call(() => {
      const now = this.engine.now();
      const sessions = this.sessionsOf(connection.user, now, limit);
      sessions.endsAt = now + limit.keptMs;
      take(sessions, connection, node, now);
      const scans = now >= sessions.scanAt;
      if (!scans && sessions.waiting.size <= limit.most) return [];
      if (!alive) return 'alive';
      const live = new Set(alive);
      if (scans) {
        scan(sessions, live, now);
        sessions.scanAt = now + limit.scanMs;
      }
      return over(sessions, limit, live, now).map((one) => ({ ...one, user: connection.user }));
    });
  }

  forget({ id, user, generation }: SessionConnection): Promise<void> {
    return this.engine.call(() => {
      const sessions = this.table.users.get(user);
      if (!sessions || (sessions.noted.get(id)?.generation ?? 0) > generation) return;
      sessions.noted.delete(id);
      sessions.waiting.delete(id);
      if (sessions.noted.size === 0) this.table.users.delete(user);
    });
  }

  private sessionsOf(user: string, now: number, { scanMs }: WaitingLimit): UserSessions {
    const known = this.table.users.get(user);
    if (known && known.endsAt > now) return known;
    const sessions = new UserSessions();
    sessions.scanAt = now + scanMs;
    this.table.users.set(user, sessions);
    return sessions;
  }
}

function take(
  { noted, waiting }: UserSessions,
  { id, generation }: SessionConnection,
  node: string | undefined,
  now: number,
): void {
  const known = noted.get(id);
  if (known && generation < known.generation) return;
  // A loss that is noted already keeps its time.
  const isNoted = known?.generation === generation && known.node === undefined;
  if (node === undefined && isNoted) return;
  noted.set(id, { generation, node });
  waiting.delete(id);
  if (node === undefined) waiting.set(id, now);
}

function scan({ noted, waiting }: UserSessions, live: ReadonlySet<string>, now: number): void {
  for (const [id, { node }] of noted)
    if (node !== undefined && !live.has(node) && !waiting.has(id)) waiting.set(id, now);
}

function over(
  { noted, waiting }: UserSessions,
  { most, restMs }: WaitingLimit,
  live: ReadonlySet<string>,
  now: number,
): { readonly id: string; readonly generation: number }[] {
  const oldest = [...waiting].slice(0, Math.max(0, Math.min(waiting.size - most, AT_ONCE)));
  return oldest.flatMap(([id, since]) => {
    const { generation = 0, node } = noted.get(id) ?? {};
    if (node !== undefined && live.has(node)) waiting.delete(id);
    else if (node === undefined || now - since >= restMs) return [{ id, generation }];
    return [];
  });
}
