import { NO_STANDING, type Standing } from '@wss/core';
import { type MemoryEngine, MemoryTable } from '@wss/state';
import {
  GENERATION_MS,
  type RaisedGeneration,
  type ReadStanding,
  type RevokedStanding,
  StandingStore,
} from './standing-store.js';

/** A standing, and until when it is kept, ms since 1970 by the engine's clock. */
interface KeptStanding {
  readonly standing: Standing;
  readonly until: number;
}

/** User → standing. */
export class StandingTable extends MemoryTable<KeptStanding> {
  readonly name = 'standings';
  override readonly isReplicated = true;
}

/** Standings of the users of one process. */
export class MemoryStandingStore extends StandingStore {
  private readonly table = this.engine.table(StandingTable);

  constructor(private readonly engine: MemoryEngine) {
    super();
  }

  read(user: string): Promise<ReadStanding> {
    return this.engine.call(() => ({ standing: this.standing(user), now: this.engine.now() }));
  }

  of(users: readonly string[]): Promise<Standing[]> {
    return this.engine.call(() => users.map((user) => this.standing(user)));
  }

  raise(user: string, which: RaisedGeneration, least?: number): Promise<Standing> {
    return this.engine.call(() => {
      const standing = this.standing(user);
      const highest = Math.max(standing.disconnected, standing.newest);
      const raised =
        least === undefined
          ? Math.max(highest + 1, this.engine.now() * 1_000)
          : Math.max(standing[which], least);
      return this.keep(user, { ...standing, [which]: raised }, this.engine.now() + GENERATION_MS);
    });
  }

  revoke(user: string, keepMs: number, at?: number): Promise<RevokedStanding> {
    return this.engine.call(() => {
      const standing = this.standing(user);
      const revokedAt = Math.max(standing.revokedAt ?? 0, at ?? this.engine.now());
      const kept = this.keep(user, { ...standing, revokedAt }, revokedAt + keepMs);
      return { ...kept, revokedAt, history: this.engine.replicationId };
    });
  }

  durable(_user: string, history: string): Promise<boolean> {
    return this.engine.call(() => this.engine.replicationId === history);
  }

  private standing(user: string): Standing {
    const kept = this.table.rows.get(user);
    return kept && kept.until > this.engine.now() ? kept.standing : NO_STANDING;
  }

  private keep(user: string, standing: Standing, until: number): Standing {
    const { rows } = this.table;
    const before = rows.get(user)?.until ?? 0;
    rows.set(user, { standing, until: Math.max(before, until) });
    const now = this.engine.now();
    this.table.sweep((row) => row.until <= now);
    return standing;
  }
}
