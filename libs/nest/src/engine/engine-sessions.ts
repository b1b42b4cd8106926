import {
  SessionKeeper,
  type SessionStore,
  WAITING_REST_MS,
  WAITING_SCAN_MS,
  WaitingSessions,
  type WaitingSessionsOptions,
} from '@wss/cluster';
import type { WssSettings } from '../options/wss-settings.js';

type SessionSettings = Pick<WssSettings, 'sessionSecrets' | 'sessionTtlMs' | 'sessionsPerUser' | 'maxRooms'>;

/** The stores of sessions, and the node that keeps them. */
interface SessionParts extends Pick<WaitingSessionsOptions, 'store' | 'nodeId' | 'registry'> {
  readonly sessionStore: SessionStore;
}

/** The sessions of a node, and their bound for each user, if there is one. */
export interface EngineSessions {
  readonly sessionStore: SessionStore;
  readonly sessions: SessionKeeper;
  readonly waiting: WaitingSessions | undefined;
}

/** @throws RedisError when the secret of resume tokens can't be agreed on. */
export async function startSessions(
  settings: SessionSettings,
  { sessionStore, ...parts }: SessionParts,
): Promise<EngineSessions> {
  const { sessionSecrets, sessionTtlMs: ttlMs, maxRooms, sessionsPerUser: most } = settings;
  const keptMs = ttlMs + WAITING_REST_MS;
  const limit = { most, keptMs, restMs: WAITING_REST_MS, scanMs: WAITING_SCAN_MS };
  const drop = sessionStore.drop.bind(sessionStore);
  const waiting = most === Infinity ? undefined : new WaitingSessions({ ...parts, limit, drop });
  const secret = sessionSecrets && { secret: [...sessionSecrets] };
  const options = { ttlMs, maxRooms, notes: waiting, ...secret };
  return { sessions: await SessionKeeper.start(sessionStore, options), sessionStore, waiting };
}
