import { WsException } from '@nestjs/websockets';
import { RpcException } from '@nestjs/microservices';
import { GatewayError, toGatewayError } from '@wss/core';
import { type ErrorCode, isErrorCode } from '@wss/protocol';
import { type AnswerError, MAX_PACKET_LENGTH } from '../channels/cluster-packet.js';

/** Space for everything in a packet but its data, UTF-16 units. */
const ENVELOPE_LENGTH = 1_024;

/** The answer of one node to a call, or the lack of one. */
export type ClusterAnswer<T = unknown> =
  /** The value that its handler returned. */
  | { readonly nodeId: string; readonly data: T }
  /** The error of its handler; `unknown_event` when it has none. */
  | { readonly nodeId: string; readonly error: { readonly code: ErrorCode; readonly message: string } }
  /** The node held a lease and did not answer by the deadline; it may have handled the call. */
  | { readonly nodeId: string; readonly missing: true };

/** A node's answer to a call, not addressed yet. */
export type Answered = { readonly data: unknown } | { readonly error: AnswerError };

/** The answer of a node that has no handler for a pattern. */
export const NO_HANDLER: Answered = {
  error: { code: 'unknown_event', message: 'this node has no handler for this call' },
};

/** Turns a handler's error into the caller's; an `RpcException` counts as written for the caller. */
export function toHandlerError(thrown: unknown): GatewayError {
  return toGatewayError(thrown instanceof RpcException ? new WsException(thrown.getError()) : thrown);
}

/**
 * Returns data as it arrives at another node, so that a handler sees the same wherever it runs.
 * @throws GatewayError `too_large`; TypeError on data that JSON can't hold
 */
export function toPlain(data: unknown): unknown {
  const json = JSON.stringify(data ?? null);
  // Functions and symbols have no JSON.
  if (json === undefined) return null;
  if (json.length > MAX_PACKET_LENGTH - ENVELOPE_LENGTH) {
    throw new GatewayError('too_large', `an answer between nodes is over ${MAX_PACKET_LENGTH} characters`);
  }
  return JSON.parse(json) as unknown;
}

/** Returns an answer as the caller gets it; a code that only newer nodes know becomes `internal`. */
export function toClusterAnswer(nodeId: string, answered: Answered): ClusterAnswer {
  if (!('error' in answered)) return { nodeId, data: answered.data };
  const { code, message } = answered.error;
  return { nodeId, error: { code: isErrorCode(code) ? code : 'internal', message } };
}
