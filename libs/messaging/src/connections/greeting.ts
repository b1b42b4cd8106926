import type { IncomingMessage } from 'node:http';
import type { OpenedSession } from '@wss/core';
import { encodeEvent, RESUME_PREFIX, SUBPROTOCOL, TOKEN64_PREFIX, TOKEN_PREFIX } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { HEARTBEAT_MS } from './heartbeats.js';
import { MAX_FRAME_BYTES } from '../ports/limits.js';
import { UpgradeRefusal } from '../ports/ports.js';

/** A client's wishes, from its list of subprotocols. */
export interface OfferedProtocols {
  /** True if it wants a session. */
  readonly session: boolean;
  /** Token of the session that it wants to resume. */
  readonly resume?: string;
}

const PREFIXES = [RESUME_PREFIX, TOKEN_PREFIX, TOKEN64_PREFIX];
const UNKNOWN = `no known subprotocol was offered; this server speaks ${SUBPROTOCOL}`;
/** A token is never echoed, and a client must fail if the server selects none of its subprotocols (RFC 6455, 4.1). */
const ALONE = `a token among the subprotocols needs ${SUBPROTOCOL} beside it; or give it as Authorization or ?access_token=`;

/** The names that a client offers as subprotocols. */
export function subprotocolsOf({ headers }: IncomingMessage): string[] {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  return offered.filter((name) => name !== '');
}

/** @throws UpgradeRefusal 400 when subprotocols were offered and none of them can be the answer. */
export function offeredProtocols(request: IncomingMessage): OfferedProtocols {
  const names = subprotocolsOf(request);
  const session = names.includes(SUBPROTOCOL);
  if (names.length > 0 && !session) {
    const isSecret = names.some((name) => PREFIXES.some((prefix) => name.startsWith(prefix)));
    throw new UpgradeRefusal(400, isSecret ? ALONE : UNKNOWN, { check: 'subprotocol' });
  }
  const resume = names.find((name) => name.startsWith(RESUME_PREFIX))?.slice(RESUME_PREFIX.length);
  return { session, ...(resume !== undefined && { resume }) };
}

/** Gives a client its session and greets it in its first frame. */
export function greet(client: ClientSocket, opened: OpenedSession): void {
  const { session, token, resumed, rooms } = opened;
  client.session = session;
  for (const room of rooms) client.useRoom(room).joined = true;
  client.places = rooms.length;
  const { id, user } = client;
  client.reply(
    encodeEvent('$hello', {
      session: session.id,
      token,
      resumed,
      rooms,
      client: id,
      user,
      heartbeatMs: HEARTBEAT_MS,
      maxFrameBytes: MAX_FRAME_BYTES,
    }),
  );
}
