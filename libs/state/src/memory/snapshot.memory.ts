import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';

/**
 * Version of the content. Raise it with every change of what a table keeps, so that an engine never takes up data of
 * another form.
 */
const FORMAT = 1;
const HEAD = /^wss engine (\d+) ([\da-f]{64})\n/;
/** Longest head, bytes. */
const HEAD_BYTES = 128;

/** All that an engine holds. */
export interface EngineContent {
  /** The engine's clock, ms since 1970. */
  readonly now: number;
  readonly replicationId: string;
  /** Name of a table → what it keeps. */
  readonly tables: ReadonlyMap<string, object>;
}

/** The bytes are not a whole snapshot of this version; the message says why. */
export class BadSnapshot extends Error {}

/** Bytes of a content, with their version and a digest in front. */
export function encodeSnapshot(content: EngineContent): Uint8Array {
  const body = serialize(content);
  return Buffer.concat([Buffer.from(`wss engine ${FORMAT} ${digestOf(body)}\n`), body]);
}

/** @throws BadSnapshot when the bytes are damaged, cut off, of another version or something else */
export function decodeSnapshot(bytes: Uint8Array): EngineContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [head, format, digest] = HEAD.exec(buffer.toString('latin1', 0, HEAD_BYTES)) ?? [];
  if (head === undefined) throw new BadSnapshot('it is no snapshot of an engine');
  if (Number(format) !== FORMAT) throw new BadSnapshot(`it has version ${format}, and ${FORMAT} is read`);
  const body = buffer.subarray(head.length);
  if (digestOf(body) !== digest) throw new BadSnapshot('it is damaged or not whole');
  try {
    return deserialize(body) as EngineContent;
  } catch (cause) {
    throw new BadSnapshot('another version of Node wrote it', { cause });
  }
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
