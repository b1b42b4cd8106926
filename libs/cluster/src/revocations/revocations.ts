import { Logger } from '@nestjs/common';
import { GatewayError, toWriteError } from '@wss/core';
import { logText, settledWithin } from '@wss/protocol';
import type { ClientRouting } from '../sessions/client-routing.js';
import type { SessionStore } from '../sessions/session-store.js';
import type { RevokedStanding, StandingStore } from '../users/standing-store.js';
import { EndedSessions, type PutOutOfRoom } from './ended-sessions.js';
import { KeptRevocations, type KeptRevocation } from './kept-revocations.js';
import type { DisconnectOptions } from './users.js';

/** Dependencies and settings of {@link Revocations}. */
export interface RevocationOptions {
  readonly standings: StandingStore;
  readonly sessions: SessionStore;
  readonly routing: ClientRouting;
  /** How long a revocation is kept, ms: no token may be older. */
  readonly maxTokenAgeMs: number;
  /** True if it is proven that revocations survive a failover. */
  readonly canBeDurable: boolean;
  readonly putOut: PutOutOfRoom;
  /** True if every live node knows that users can be put out. */
  readonly isKnownToAll: () => boolean;
}

/** The way in which a user or a session was put out. */
export type PutOutKind = 'disconnect' | 'revoke' | 'revoke_session';

/** How long a call waits for the other nodes and the replicas, ms. */
const WAIT_MS = 2_000;
const UNKNOWN =
  'a node of an older release runs, which does not know that users can be put out; it keeps and admits this one until it is updated';
/** Kept as long as any session can be resumed, at least. */
const LEAST_KEPT_MS = 90_000_000;

/** Carries revocations out, keeps them until they are safe, and writes the log. */
export class Revocations {
  private readonly logger = new Logger('Users');
  readonly kept: KeptRevocations;
  /** Calls on this node that took effect. */
  readonly counts: Record<PutOutKind, number> = { disconnect: 0, revoke: 0, revoke_session: 0 };
  private readonly ended: EndedSessions;

  constructor(private readonly options: RevocationOptions) {
    const { standings, sessions, canBeDurable } = options;
    this.kept = new KeptRevocations({
      ...{ standings, sessions, canBeDurable },
      repeat: (revocation, cause) => this.repeat(revocation, cause),
    });
    this.ended = new EndedSessions(sessions, options.putOut);
  }

  async disconnect(user: string): Promise<void> {
    const standing = await write(() => this.options.standings.raise(user, 'disconnected'));
    this.ended.end(user, 0);
    await this.requireTold(this.options.routing.standings.tell(user, standing));
  }

  async revokeUser(user: string): Promise<void> {
    const { standings } = this.options;
    const { history, ...standing } = await write(() => standings.revoke(user, this.keepMs));
    const revocation = { user, at: standing.revokedAt, history };
    this.kept.keep(revocation);
    await this.requireTold(this.spread(user, standing));
    await this.requireDurable(revocation, standings.durable(user, history, WAIT_MS));
  }

  async revokeSession(session: string): Promise<void> {
    const { sessions, putOut } = this.options;
    const { rooms } = await write(() => sessions.membershipsOf(session));
    const { user, history } = await write(() => sessions.end(session));
    // Another session of the user may be there.
    if (user !== undefined) for (const room of rooms) void putOut(room, user, false);
    const revocation = { session, history };
    this.kept.keep(revocation);
    await this.requireTold(this.options.routing.sessionEnded(session, user));
    await this.requireDurable(revocation, sessions.durable(session, history, WAIT_MS));
  }

  /** Carries out what was asked for, and writes the one line that tells afterwards who asked for it. */
  async audited(
    [kind, whom, options]: readonly [PutOutKind, string, DisconnectOptions],
    work: () => Promise<void>,
  ): Promise<void> {
    let failure: unknown;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof GatewayError && error.applied)) throw error;
      failure = error;
    }
    this.tell(kind, whom, options);
    if (failure) throw failure;
  }

  private tell(kind: PutOutKind, whom: string, { by = 'the application', reason }: DisconnectOptions): void {
    const verb = kind === 'disconnect' ? 'disconnected' : 'revoked';
    const why = reason === undefined ? '' : `, reason ${logText(reason)}`;
    const what = kind === 'revoke_session' ? 'session' : 'user';
    this.logger.log(`${what} ${logText(whom)} was ${verb} by ${logText(by)}${why}`);
    // Older nodes know that a session can be taken over, and close its connection with 4500.
    if (kind !== 'revoke_session' && !this.options.isKnownToAll())
      this.logger.warn(`${UNKNOWN}: ${logText(whom)}`);
    this.counts[kind]++;
  }

  close(): void {
    this.kept.close();
    this.ended.close();
  }

  private get keepMs(): number {
    return Math.max(this.options.maxTokenAgeMs, LEAST_KEPT_MS);
  }

  private spread(user: string, standing: Omit<RevokedStanding, 'history'>): Promise<void> {
    this.ended.end(user, standing.revokedAt);
    return this.options.routing.standings.tell(user, standing);
  }

  /** A node that is not told in time finds it in the engine; it is told until that succeeds. */
  private async requireTold(told: Promise<void>): Promise<void> {
    if (!(await settledWithin(told, WAIT_MS))) throw unproven('it may not have reached all nodes yet');
  }

  private async requireDurable(revocation: KeptRevocation, proof: Promise<boolean>): Promise<void> {
    if (!this.options.canBeDurable) return;
    if (!(await proof)) throw unproven('applied, but not proven to survive a failover');
    this.kept.proven(revocation);
  }

  private async repeat(revocation: KeptRevocation, cause: 'lost' | 'unproven'): Promise<void> {
    const { standings, sessions, routing } = this.options;
    const what = 'user' in revocation ? `user ${logText(revocation.user)}` : `session ${revocation.session}`;
    if (cause === 'lost') this.logger.warn(`Redis had lost that ${what} was revoked; it is in force again`);
    if ('user' in revocation) {
      const { user, at } = revocation;
      const { history, ...standing } = await standings.revoke(user, this.keepMs, at);
      this.kept.keep({ user, at, history });
      if (cause === 'lost') void this.spread(user, standing);
    } else {
      const { session } = revocation;
      const { user, history } = await sessions.end(session);
      this.kept.keep({ session, history });
      if (cause === 'lost') void routing.sessionEnded(session, user);
    }
  }
}

/** Makes an error of the engine one that callers know. */
async function write<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toWriteError(error);
  }
}

function unproven(message: string): GatewayError {
  return new GatewayError('unknown_outcome', message, { applied: true });
}
