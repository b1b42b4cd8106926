import { hash } from 'node:crypto';
import { GatewayError } from '@wss/core';
import type { CommitLane } from '../store/room-store.js';
import type { EngineTime } from './engine-time.js';

/** Largest number of keys that a room keeps at a time; a further one is `rate_limited`. */
export const MOST_ONCE_KEYS = 10_000;
/** Longest key, UTF-16 code units. */
const LONGEST = 255;
/** How long the lane of a key counts, ms by the engine's clock; its record is kept for an hour longer, 24 h in all. */
const ONCE_MS = 82_800_000;

/** The part of a scope by which its write takes effect once. */
export interface OnceScope {
  /**
   * A key of the write: in its room the first write under it takes effect, and no other one for 24 hours by the engine's clock. A
   * repeat gets the first one's answer, also an error that is final. 1 to 255 characters.
   */
  readonly once?: string | undefined;
  /** The user for whom it is done; another one under the same key is refused. */
  readonly user?: string | undefined;
  /**
   * The data that the write goes by, as JSON: another one under the same key is refused.
   * Default: none, so that the key alone counts.
   */
  readonly body?: unknown;
}

/** A key in the form of the engine. */
export interface OnceKey {
  /** Of its lane in the room. */
  readonly id: string;
  readonly fingerprint: string;
}

/**
 * The key of a scope; undefined if it has none.
 * @param action names what is done, so that a repeat of another action is refused
 * @throws GatewayError `invalid` if it is not a text of 1 to 255 characters, or if the body has no JSON
 */
export function onceKeyOf({ once, user, body }: OnceScope, action: string): OnceKey | undefined {
  if (once === undefined) return undefined;
  if (typeof once !== 'string' || once === '' || once.length > LONGEST) {
    throw new GatewayError('invalid', `a key of "once" is a text of 1 to ${LONGEST} characters`);
  }
  return {
    id: `!${digestOf(once).slice(0, 27)}`,
    fingerprint: digestOf([action, user ?? null, jsonOf(body)]).slice(0, 22),
  };
}

/** As JSON, so that halves of surrogate pairs differ. */
function digestOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'base64url');
}

function jsonOf(body: unknown): string | null {
  if (body === undefined) return null;
  const [json, cause] = stringified(body);
  if (json === undefined) throw new GatewayError('invalid', 'a body of "once" must have JSON', { cause });
  return json;
}

function stringified(body: unknown): [json: string | undefined, cause?: unknown] {
  try {
    return [JSON.stringify(body)];
  } catch (error) {
    return [undefined, error];
  }
}

/** The lane of a key, which {@link openKeys} opens. */
export function laneOfKey({ id }: OnceKey): CommitLane {
  return { id, generation: 0, endsAt: 0, once: { most: MOST_ONCE_KEYS } };
}

/**
 * Gives the lanes of keys their end; call it before they are sent.
 * @throws StoreError nothing was done
 */
export async function openKeys(lanes: readonly CommitLane[], room: string, time: EngineTime): Promise<void> {
  const endsAt = Math.floor(await time.of(room)) + ONCE_MS;
  for (const lane of lanes) (lane as { endsAt: number }).endsAt ||= endsAt;
}
