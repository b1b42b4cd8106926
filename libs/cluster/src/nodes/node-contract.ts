import { hash } from 'node:crypto';

/** The messages that clients may send to a node. */
export interface NodeContract {
  /** Events that it has a handler for, each with its kind of room; `null`: with or without any room. */
  readonly events: readonly (readonly [event: string, roomType: string | null])[];
  /** Kinds of rooms. */
  readonly rooms: readonly string[];
}

/** How long the engine keeps a contract that no node renews, ms. */
export const CONTRACT_MS = 600_000;
/** How often a node renews its contract, ms. */
export const CONTRACT_RENEWAL_MS = 60_000;

/** A contract as it is kept, and the hash that names it. */
export interface EncodedContract {
  readonly hash: string;
  readonly json: string;
}

/** Nodes with the same handlers have the same hash, in whichever order they found them. */
export function encodeContract({ events, rooms }: NodeContract): EncodedContract {
  const sorted = [...events].sort((a, b) => (String(a) < String(b) ? -1 : 1));
  const json = JSON.stringify({ events: sorted, rooms: [...rooms].sort() });
  return { hash: hash('sha1', json, 'base64url').slice(0, 16), json };
}

/** Reads a contract; one that this version can't read counts as unknown. */
export function decodeContract(json: string): NodeContract {
  try {
    const { events, rooms } = JSON.parse(json) as Partial<Record<keyof NodeContract, unknown>>;
    return {
      events: (Array.isArray(events) ? events : []).filter(isEvent),
      rooms: Array.isArray(rooms) ? (rooms as string[]) : [],
    };
  } catch {
    return { events: [], rooms: [] };
  }
}

function isEvent(value: unknown): value is readonly [event: string, roomType: string | null] {
  return Array.isArray(value) && typeof value[0] === 'string';
}
