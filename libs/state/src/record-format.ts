import type { CommandRecord, Outcome, StoredDocument } from './room-store.js';

const KIND = { result: 'r', error: 'e', position: 'p', skipped: 'z' } as const;

/** One letter for the kind, then its JSON if it has any. */
export function encodeOutcome(outcome: Outcome): string {
  return KIND[outcome.kind] + ('json' in outcome ? outcome.json : '');
}

/** Reads `seq|fingerprint|outcome`. */
export function decodeRecord(record: string): CommandRecord {
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

/** Reads `epoch:seq|json`; undefined of an empty string. */
export function decodeDocument(raw: string): StoredDocument | undefined {
  if (raw === '') return undefined;
  const bar = raw.indexOf('|');
  return { position: raw.slice(0, bar), json: raw.slice(bar + 1) };
}
