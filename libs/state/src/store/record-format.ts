import { type CommandRecord, type Outcome, type StoredDocument } from './room-store.js';
import { UnknownFormat } from './store-errors.js';

const KIND = { result: 'r', error: 'e', position: 'p', skipped: 'z' } as const;

/*
 * A stored record of version 1 does not name its version. One of a later version begins with "v" and the number,
 * unlike any record of version 1. Log entries of a later version have another field than `d`, a meta has another
 * history.
 */

/** True if a stored record is of a later version than 1. */
export function isNewer(stored: string): boolean {
  return stored.startsWith('v');
}

/** One letter for the kind, then its JSON if it has any. */
export function encodeOutcome(outcome: Outcome): string {
  return KIND[outcome.kind] + ('json' in outcome ? outcome.json : '');
}

/**
 * Reads `seq|fingerprint|outcome`.
 * @throws UnknownFormat
 */
export function decodeRecord(record: string): CommandRecord {
  if (isNewer(record)) throw new UnknownFormat('records of this room');
  const first = record.indexOf('|');
  const second = record.indexOf('|', first + 1);
  return {
    seq: Number(record.slice(0, first)),
    fingerprint: record.slice(first + 1, second),
    outcome: decodeOutcome(record.slice(second + 1)),
  };
}

function decodeOutcome(text: string): Outcome {
  const json = text.slice(1);
  switch (text[0]) {
    case KIND.result:
      return { kind: 'result', json };
    case KIND.error:
      return { kind: 'error', json };
    case KIND.position:
      return { kind: 'position' };
    default:
      return { kind: 'skipped' };
  }
}

/**
 * Reads `epoch:seq|json`; undefined for an empty string.
 * @throws UnknownFormat
 */
export function decodeDocument(raw: string): StoredDocument | undefined {
  if (isNewer(raw)) throw new UnknownFormat('documents of this room');
  if (raw === '') return undefined;
  const bar = raw.indexOf('|');
  return { position: raw.slice(0, bar), json: raw.slice(bar + 1) };
}
