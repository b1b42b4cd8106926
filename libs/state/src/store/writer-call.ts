import type { Position } from '@wss/protocol';
import { positionKey } from './log-format.js';
import { decodeDocument, isNewer } from './record-format.js';
import type { StoredDocument } from './room-store.js';

/** Documents longer than this are not sent with a call, bytes; the called node reads them. */
const MOST_NEWS = 16_384;

/** Tells a node that it is the next one to write a room. */
export interface WriterCall {
  /** The room's position when it was called. */
  readonly position: Position;
  /** The present documents of the last commit; not necessarily all of the room. */
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

/** Encodes a call: the position, then for each document a line for its name and one for its stored text. */
export function encodeWriterCall(position: Position, documents: ReadonlyMap<string, StoredDocument>): string {
  const head = positionKey(position);
  const lines = [...documents].flatMap(([name, stored]) => [name, `${stored.position}|${stored.json}`]);
  const text = [head, ...lines].join('\n');
  return Buffer.byteLength(text) > MOST_NEWS ? head : text;
}

/** Decodes a call. */
export function decodeWriterCall(message: string): WriterCall {
  const [head, ...lines] = message.split('\n') as [string, ...string[]];
  const colon = head.lastIndexOf(':');
  const documents = new Map<string, StoredDocument>();
  for (let i = 0; i + 1 < lines.length; i += 2) {
    // The called node finds it out when it reads.
    if (isNewer(lines[i + 1]!)) continue;
    const stored = decodeDocument(lines[i + 1]!);
    if (stored) documents.set(lines[i]!, stored);
  }
  return { position: { epoch: head.slice(0, colon), seq: Number(head.slice(colon + 1)) }, documents };
}
