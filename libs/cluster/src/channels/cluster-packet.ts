import { GatewayError } from '@wss/core';

/**
 * Version of the packets between nodes. It rises only when older nodes would misread a packet; what they may ignore
 * (new fields, new kinds) comes without a new version, so that old and new nodes live side by side in an update.
 */
export const PACKET_VERSION = 1;

/** The version is the first thing in a packet's text; `job_take.lua` reads it in the same way. */
const VERSION = /^\{"v":([1-9]\d*)[,}]/;

/** Largest packet, UTF-16 units: one packet must never fill the engine's buffer for a node that reads slowly. */
export const MAX_PACKET_LENGTH = 1_048_576;

const MAX_ID_LENGTH = 64;

interface Packet {
  /** Node that sent it. */
  readonly from: string;
  /** Unique among the sender's packets; an answer has its call's. */
  readonly id: string;
}

/** An event: every receiver handles it, none answers. */
export interface EventPacket extends Packet {
  readonly kind: 'event';
  /** The receiving node; absent: all nodes. */
  readonly to?: string;
  readonly pattern: string;
  readonly data: unknown;
}

/** A call: every receiver answers once. */
export interface CallPacket extends Packet {
  readonly kind: 'call';
  readonly pattern: string;
  readonly data: unknown;
  /** How long the caller waits, ms from its sending on. */
  readonly timeoutMs: number;
}

/** A handler's failure: a code of the table of errors and a message for the caller. */
export interface AnswerError {
  readonly code: string;
  readonly message: string;
}

/** One node's answer to a call. */
export interface AnswerPacket extends Packet {
  readonly kind: 'answer';
  readonly data: unknown;
  /** Present if the node's handler failed or does not exist; `data` has no meaning then. */
  readonly error?: AnswerError;
}

/** A message from one node to others. */
export type ClusterPacket = EventPacket | CallPacket | AnswerPacket;

/**
 * Writes a packet; data that is absent becomes `null`.
 * @throws GatewayError `too_large`; TypeError on data that JSON can't hold
 */
export function encodePacket(packet: ClusterPacket): string {
  const text = JSON.stringify({ v: PACKET_VERSION, ...packet, data: packet.data ?? null });
  if (text.length <= MAX_PACKET_LENGTH) return text;
  throw new GatewayError('too_large', `a packet between nodes is over ${MAX_PACKET_LENGTH} characters`);
}

/** Returns the version of a packet, even if this node can't read it; 0 for a text that is not a packet. */
export function packetVersionOf(text: string): number {
  return Number(VERSION.exec(text)?.[1] ?? 0);
}

/** Reads a packet; undefined for any text that is not a packet of a known version. Never throws. */
export function decodePacket(text: string): ClusterPacket | undefined {
  if (text.length > MAX_PACKET_LENGTH) return undefined;
  const raw = parse(text);
  if (raw?.['v'] !== PACKET_VERSION || !isId(raw['from']) || !isId(raw['id'])) return undefined;
  const base = { from: raw['from'], id: raw['id'], data: raw['data'] ?? null };
  if (raw['kind'] === 'answer') return answer(base, raw['error']);
  const { pattern, timeoutMs } = raw;
  if (typeof pattern !== 'string') return undefined;
  if (raw['kind'] === 'event')
    return { kind: 'event', ...base, pattern, ...(isId(raw['to']) && { to: raw['to'] }) };
  if (raw['kind'] !== 'call' || typeof timeoutMs !== 'number') return undefined;
  return { kind: 'call', ...base, pattern, timeoutMs };
}

function answer(base: Omit<AnswerPacket, 'kind'>, error: unknown): AnswerPacket | undefined {
  if (error === undefined) return { kind: 'answer', ...base };
  const { code, message } = (error ?? {}) as Partial<Record<keyof AnswerError, unknown>>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return { kind: 'answer', ...base, error: { code, message } };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH;
}
