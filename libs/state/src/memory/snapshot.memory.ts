import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';

/**
 * Version of the content. Raise it with every change of what a table keeps, so that an engine never takes up data of
 * another form.
 */
const FORMAT = 3;
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

/** True if bytes begin as a snapshot does, of whatever version. */
export function isSnapshot(bytes: Uint8Array): boolean {
  return HEAD.test(textOf(bytes));
}

/** @throws BadSnapshot when the bytes are damaged, cut off, of another version or something else */
export function decodeSnapshot(bytes: Uint8Array): EngineContent {
  const [head, format, digest] = HEAD.exec(textOf(bytes)) ?? [];
  if (head === undefined) throw new BadSnapshot('it is no snapshot of an engine');
  if (Number(format) !== FORMAT) throw new BadSnapshot(`it has version ${format}, and ${FORMAT} is read`);
  const body = bytes.subarray(head.length);
  if (digestOf(body) !== digest) throw new BadSnapshot('it is damaged or not whole');
  try {
    return deserialize(body) as EngineContent;
  } catch (cause) {
    throw new BadSnapshot('another version of Node wrote it', { cause });
  }
}

/** As much of the bytes as a head may have. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1');
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
