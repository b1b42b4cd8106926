import type { LogEntry } from '@wss/protocol';
import { decodeMessage, readMessageHead } from '@wss/state';

/** An event outside of the log. */
export interface VolatileMessage {
  /** Node that published it and has served its own clients already. */
  readonly nodeId: string;
  /** Client that must not get it. */
  readonly except?: string;
  /** JSON string. */
  readonly event: string;
  /** JSON. */
  readonly data: string;
}

/** The changes in a room since its last announcement. */
export interface PresenceDelta {
  readonly version: number;
  /** Takes effect before {@link left}. */
  readonly joined: readonly { readonly user: string; readonly meta?: object }[];
  readonly left: readonly string[];
}

/** A message on a room's channel. */
export type RoomMessage =
  | ({ readonly kind: 'volatile' } & VolatileMessage)
  /** An announcement of presence; `delta` is JSON of a {@link PresenceDelta}. */
  | { readonly kind: 'presence'; readonly delta: string }
  /** Log entries of one commit. They are taken apart when asked for: most nodes need not, for they wrote them. */
  | {
      readonly kind: 'entries';
      readonly epoch: string;
      /** Number of the last event. */
      readonly last: number;
      entries(): readonly LogEntry[];
    };

/** First character of a volatile event; no position begins with it, nor with that of an announcement. */
const VOLATILE = '~';
/** First character of an announcement, which `presence_announce.lua` writes too. */
const PRESENCE = '!';

/** Writes a volatile event. */
export function encodeVolatile({ nodeId, except, event, data }: VolatileMessage): string {
  return `${VOLATILE}${nodeId}\n${except ?? ''}\n${event}\n${data}`;
}

/** Writes an announcement of presence, from JSON of a {@link PresenceDelta}. */
export function encodePresence(delta: string): string {
  return `${PRESENCE}${delta}`;
}

/** Reads what travels on a room's channel; log entries are written by the script that commits them. */
export function decodeRoomMessage(text: string): RoomMessage {
  if (text.startsWith(VOLATILE)) return { kind: 'volatile', ...decodeVolatile(text) };
  if (text.startsWith(PRESENCE)) return { kind: 'presence', delta: text.slice(PRESENCE.length) };
  const { epoch, last } = readMessageHead(text);
  return { kind: 'entries', epoch, last, entries: () => decodeMessage(text).entries };
}

function decodeVolatile(text: string): VolatileMessage {
  const parts = text.slice(VOLATILE.length).split('\n') as [string, string, string, string];
  const [nodeId, except, event, data] = parts;
  return { nodeId, event, data, ...(except !== '' && { except }) };
}
