import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { GatewayError } from '@wss/core';
import { type Ending, isUserName, logText } from '@wss/protocol';
import { type Committer, endingWork, type RoomStore } from '@wss/state';
import { KeptEndings, type KeptEnding } from './kept-endings.js';

/** Longest reason, and longest name of the one who wants it, characters. */
const MOST_CHARACTERS = 128;
/** How long a proof that an ending survives a failover may take, ms. */
const PROOF_MS = 2_000;

/** Dependencies and settings of endings. */
export interface RoomEndingsOptions {
  readonly committer: Committer;
  readonly store: Pick<RoomStore, 'tops' | 'resume' | 'durable'>;
  /** True if the engine can prove that something survives a failover. */
  readonly canBeDurable: boolean;
  /** True if every live node knows that memberships can end. */
  readonly knowsGates: () => boolean;
  /** Lets those whose memberships end leave presence, where they have no connection; never rejects. */
  readonly putOut?: (room: string, who: Omit<Ending, 'reason'>) => Promise<void>;
  readonly everyMs?: number;
}

/** Why memberships end, and who wants it so. */
export interface EndingOptions {
  /** Told to the members concerned; at most 128 characters. Default ''. */
  readonly reason?: string;
  /** The one who does it, for the log line; at most 128 characters. Default none. */
  readonly by?: string;
}

/** A session of a user, as the one whose membership ends. */
export interface RemovedSession {
  /** Id of the session, as hooks of sessions and the SDK know it. */
  readonly session: string;
}

/** Ends memberships of rooms, in the commit order of each room, on all nodes (R38, R39). */
export class RoomEndings implements OnApplicationShutdown {
  private readonly logger = new Logger('Rooms');
  private readonly kept: KeptEndings;

  constructor(private readonly options: RoomEndingsOptions) {
    const { store, canBeDurable, committer, everyMs } = options;
    this.kept = new KeptEndings({
      store,
      canBeDurable,
      idleTtlOf: (room) => committer.idleTtlOf(room),
      repeat: (kept) => this.repeat(kept),
      ...(everyMs !== undefined && { everyMs }),
    });
  }

  /**
   * Ends the memberships of a user, a session or, without either, of everybody; or the room with them.
   * @returns the place of the ending in the room's log
   * @throws GatewayError `invalid`, `not_found` for an undeclared kind of room, `unavailable`, `unknown_outcome`
   */
  async end(
    room: string,
    who: Omit<Ending, 'reason'>,
    options: EndingOptions = {},
  ): Promise<{ readonly seq: number }> {
    requireOptions(options);
    const { reason = '', by } = options;
    requireText('reason', reason);
    requireText('by', by ?? '');
    if (who.user !== undefined) requireName('user', who.user);
    if (who.session !== undefined) requireName('session', who.session);
    // Refuses an undeclared kind of room.
    this.options.committer.limitsOf(room);
    this.requireGates();
    const kept = await this.write(room, { ...who, reason });
    this.audit(kept, by);
    const left = this.options.putOut?.(room, who);
    await this.requireDurable(kept);
    await left;
    return { seq: kept.position.seq };
  }

  /** Number of endings that are kept, because a failover could lose them. */
  get size(): number {
    return this.kept.size;
  }

  /** Looks now if the engine still has what was ended, and writes again what it has lost. Never rejects. */
  look(): Promise<void> {
    return this.kept.look();
  }

  /** Stops looking after what was ended. */
  onApplicationShutdown(): void {
    this.kept.close();
  }

  private async write(room: string, ending: Ending): Promise<KeptEnding> {
    const work = endingWork(room, ending, { durable: false });
    const { position, replicationId } = await this.options.committer.perform(work);
    const kept = { room, ending, position, history: replicationId ?? '' };
    this.kept.keep(kept);
    return kept;
  }

  private async repeat({ room, ending }: KeptEnding): Promise<void> {
    const { position } = await this.write(room, ending);
    const what = ending.deleted ? 'deletion' : 'removal';
    this.logger.warn(
      `a ${what} that Redis has lost was repeated: ${described({ room, ending })} seq=${position.seq}`,
    );
  }

  private async requireDurable(kept: KeptEnding): Promise<void> {
    const { store, canBeDurable } = this.options;
    if (!canBeDurable) return;
    if (await store.durable(kept.room, kept.history, PROOF_MS)) return this.kept.proven(kept);
    throw new GatewayError('unknown_outcome', 'applied, but not proven to survive a failover', {
      applied: true,
    });
  }

  private requireGates(): void {
    if (this.options.knowsGates()) return;
    throw new GatewayError(
      'unavailable',
      'a node of an older release runs, which knows no removals; try again when it is updated',
    );
  }

  private audit({ room, ending, position }: KeptEnding, by: string | undefined): void {
    const who = by === undefined ? '-' : logText(by);
    const what = ending.deleted ? 'deleted' : 'removed';
    this.logger.log(`${what}: ${described({ room, ending })} by=${who} seq=${position.seq}`);
  }
}

function described({ room, ending }: Pick<KeptEnding, 'room' | 'ending'>): string {
  const { user, session, reason, deleted } = ending;
  if (deleted) return `room=${room} reason=${logText(reason)}`;
  const who =
    user === undefined
      ? session === undefined
        ? 'everybody'
        : `session=${logText(session)}`
      : `user=${logText(user)}`;
  return `room=${room} ${who} reason=${logText(reason)}`;
}

/** For calls that put somebody out: bad options must not fail after it took effect. */
export function requireOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null) return;
  throw new GatewayError('invalid', 'the options are an object');
}

function requireText(path: string, text: string): void {
  if (typeof text === 'string' && [...text].length <= MOST_CHARACTERS) return;
  throw invalid(path, `must be a text of at most ${MOST_CHARACTERS} characters`);
}

function requireName(path: string, name: string): void {
  if (isUserName(name)) return;
  throw invalid(path, 'must be a text of 1 to 128 characters without control characters');
}

function invalid(path: string, message: string): GatewayError {
  return new GatewayError('invalid', `"${path}" ${message}`, { details: [{ path, message }] });
}
