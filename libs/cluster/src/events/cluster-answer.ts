import { WsException } from '@nestjs/websockets';
import { RpcException } from '@nestjs/microservices';
import { GatewayError, toGatewayError } from '@wss/core';
import { type ErrorCode, isErrorCode } from '@wss/protocol';
import { RedisError } from '@wss/redis';
import { StoreError } from '@wss/state';
import { type AnswerError, MAX_PACKET_LENGTH } from './cluster-packet.js';

/** Room for everything in a packet but its data, UTF-16 units. */
const ENVELOPE_LENGTH = 1_024;

/** The answer of one node to a call, or the lack of one. */
export type ClusterAnswer<T = unknown> =
  /** The value that its handler returned. */
  | { readonly nodeId: string; readonly data: T }
  /** The error of its handler; `unknown_event` when it has none. */
  | { readonly nodeId: string; readonly error: { readonly code: ErrorCode; readonly message: string } }
  /** It held a lease and did not answer by the deadline: it may have handled the call or not. */
  | { readonly nodeId: string; readonly missing: true };

/** A node's answer to a call, not addressed yet. */
export type Answered = { readonly data: unknown } | { readonly error: AnswerError };

/** The answer of a node that has no handler for a pattern. */
export const NO_HANDLER: Answered = {
  error: { code: 'unknown_event', message: 'this node has no handler for this call' },
};

/** Turns what a handler threw into the caller's error; `RpcException` counts as written for the caller. */
export function toHandlerError(thrown: unknown): GatewayError {
  return toGatewayError(thrown instanceof RpcException ? new WsException(thrown.getError()) : thrown);
}

/** Turns the failure of a call to the engine into the error that a feature gets. */
export function toEngineError(thrown: unknown): unknown {
  if (thrown instanceof RedisError) {
    if (thrown.failure === 'failed') return thrown;
    return engineError(thrown.failure === 'unknown', thrown);
  }
  if (!(thrown instanceof StoreError) || thrown.outcome === 'failed') return thrown;
  return engineError(thrown.outcome === 'unknown', thrown);
}

/** Tells a failure of the engine, which passes, from a bug. */
export function isEngineFault(thrown: unknown): thrown is Error {
  if (thrown instanceof GatewayError) return thrown.code === 'unavailable';
  return thrown instanceof RedisError || thrown instanceof StoreError;
}

/** Turns the failure of a read into a client's error: the engine's become `unavailable`, others stay as they are. */
export function toReadError(thrown: unknown): unknown {
  if (!(thrown instanceof RedisError || thrown instanceof StoreError)) return thrown;
  return engineError(false, thrown);
}

function engineError(mayBeDone: boolean, cause: RedisError | StoreError): GatewayError {
  if (mayBeDone) return new GatewayError('unknown_outcome', 'the engine did not answer in time', { cause });
  const { reason } = cause as { readonly reason?: string };
  return new GatewayError('unavailable', reason ?? 'the engine is out of reach', { cause });
}

/**
 * Data as it arrives at another node, so that a handler sees the same wherever it runs.
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

/** An answer as the caller gets it; a code that only newer nodes know becomes `internal`. */
export function toClusterAnswer(nodeId: string, answered: Answered): ClusterAnswer {
  if (!('error' in answered)) return { nodeId, data: answered.data };
  const { code, message } = answered.error;
  return { nodeId, error: { code: isErrorCode(code) ? code : 'internal', message } };
}
