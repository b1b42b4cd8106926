import { GatewayError, rateLimited } from '@wss/core';
import type { Verdict } from '../store/room-store.js';

type RefusedVerdict = Exclude<Verdict, { kind: 'ok' | 'duplicate' | 'later' }>;

/** The error for a work whose key is refused. */
export function keyRefusalOf(verdict: RefusedVerdict): GatewayError {
  switch (verdict.kind) {
    case 'reused':
      return new GatewayError(
        'number_reused',
        'this key of "once" was used with another body, user or action; take a new one',
      );
    case 'expired':
      return new GatewayError(
        'unknown_outcome',
        'the room was lost since this key of "once" was used, or the engine\'s clock was set; what it did may be lost, too',
      );
    default:
      return refusalOf(verdict);
  }
}

/** The error that the sender of a refused number gets. */
export function refusalOf(verdict: RefusedVerdict): GatewayError {
  switch (verdict.kind) {
    case 'reused':
      return new GatewayError(
        'number_reused',
        'this number was used with another event, data or user; use the next one',
      );
    case 'out_of_order':
      return new GatewayError('out_of_order', `number ${verdict.expected} comes next; send it first`, {
        details: [{ expected: verdict.expected }],
      });
    case 'window':
      return new GatewayError('out_of_order', 'more than 32 replies are unacknowledged; send "ack"');
    case 'expired':
      return new GatewayError(
        'session_expired',
        'the session is over; the outcome of earlier commands is unknown: open a new one and begin with 1',
      );
    case 'limited':
      return rateLimited(verdict.retryInMs);
    case 'full':
      return rateLimited(verdict.retryInMs, 'the room keeps as many keys of "once" as it may; wait');
    case 'bound':
      return new GatewayError('rejected', 'a counter would leave its bounds; read it before you add');
  }
}
