import { isUtf8 } from 'node:buffer';
import { OPCODES } from '@wss/testing';

/** The end of a connection that RFC 6455 and PROTOCOL.md foresee for some bytes of a client. */
export interface ExpectedEnd {
  /** The close code; absent where the connection goes on. 1005: a close frame without a code. */
  readonly code?: number;
  /** True if the bytes end within a frame, or a message within its fragments. */
  readonly isPartial: boolean;
  /** The messages that were complete before. */
  readonly texts: readonly string[];
  /** The payload of the last ping. */
  readonly ping?: Buffer;
}

const MAX_MESSAGE_BYTES = 65_536;
const MAX_FRAGMENTS = 1_024;

interface Header {
  readonly fin: boolean;
  readonly opcode: number;
  readonly length: number;
  /** Where the payload begins. */
  readonly from: number;
  readonly mask: Buffer;
}

/** Judges all that a client sends, in the plainest way. */
export function expectedEnd(bytes: Buffer): ExpectedEnd {
  const judge = new Judge();
  let at = 0;
  while (at < bytes.length) {
    const header = headerAt(bytes, at);
    if (header === 'partial') return judge.end({ isPartial: true });
    const code = typeof header === 'number' ? header : judge.refusal(header);
    if (code !== undefined) return judge.end({ code, isPartial: false });
    const { from, length } = header as Header;
    if (from + length > bytes.length) return judge.end({ isPartial: true });
    const closedWith = judge.take(header as Header, unmasked(bytes, header as Header));
    if (closedWith !== undefined) return judge.end({ code: closedWith, isPartial: false });
    at = from + length;
  }
  return judge.end({ isPartial: judge.isWithinMessage });
}

/** The frames of one connection. */
class Judge {
  private readonly texts: string[] = [];
  private ping?: Buffer;
  private parts?: { opcode: number; size: number; payloads: Buffer[] };

  get isWithinMessage(): boolean {
    return this.parts !== undefined;
  }

  end(end: Pick<ExpectedEnd, 'code' | 'isPartial'>): ExpectedEnd {
    return { ...end, texts: this.texts, ...(this.ping && { ping: this.ping }) };
  }

  /** The code for a frame whose header is enough to refuse it. */
  refusal({ opcode, length }: Header): number | undefined {
    if (opcode >= 8) return undefined;
    const isContinuation = opcode === OPCODES.continuation;
    if (isContinuation !== (this.parts !== undefined)) return 1002;
    if ((this.parts?.size ?? 0) + length > MAX_MESSAGE_BYTES) return 1009;
    return undefined;
  }

  take({ opcode, fin }: Header, payload: Buffer): number | undefined {
    if (opcode === OPCODES.close) return closeCodeOf(payload);
    if (opcode === OPCODES.ping) this.ping = payload;
    if (opcode >= 8) return undefined;
    const parts = (this.parts ??= { opcode, size: 0, payloads: [] });
    parts.size += payload.length;
    parts.payloads.push(payload);
    if (parts.payloads.length > MAX_FRAGMENTS) return 1008;
    if (!fin) return undefined;
    delete this.parts;
    return this.message(parts.opcode, Buffer.concat(parts.payloads));
  }

  private message(opcode: number, content: Buffer): number | undefined {
    if (opcode !== OPCODES.text) return undefined;
    if (!isUtf8(content)) return 1007;
    this.texts.push(content.toString());
    return undefined;
  }
}

/** The header, the code that refuses it, or `partial`. */
function headerAt(bytes: Buffer, at: number): Header | number | 'partial' {
  if (bytes.length < at + 2) return 'partial';
  const [first, second] = [bytes[at]!, bytes[at + 1]!];
  const [fin, opcode, short] = [first >= 0x80, first & 0x0f, second & 0x7f];
  if ((first & 0x70) !== 0 || second < 0x80) return 1002;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return 1002;
  if (opcode >= 8 && (!fin || short > 125 || (opcode === OPCODES.close && short === 1))) return 1002;
  const size = short < 126 ? 0 : short === 126 ? 2 : 8;
  const from = at + 2 + size + 4;
  if (bytes.length < at + 2 + size) return 'partial';
  const long =
    size === 0
      ? BigInt(short)
      : size === 2
        ? BigInt(bytes.readUInt16BE(at + 2))
        : bytes.readBigUInt64BE(at + 2);
  if (bytes.length < from)
    return opcode < 8 ? { ...partialHeader(fin, opcode, Number(long)), from } : 'partial';
  return { fin, opcode, length: Number(long), from, mask: bytes.subarray(from - 4, from) };
}

/** A frame without its mask may be refused already. */
function partialHeader(fin: boolean, opcode: number, length: number): Omit<Header, 'from'> {
  return { fin, opcode, length, mask: Buffer.alloc(4) };
}

function unmasked(bytes: Buffer, { from, length, mask }: Header): Buffer {
  const payload = Buffer.from(bytes.subarray(from, from + length));
  for (let at = 0; at < payload.length; at++) payload[at]! ^= mask[at & 3]!;
  return payload;
}

function closeCodeOf(payload: Buffer): number {
  if (payload.length === 0) return 1005;
  const code = payload.readUInt16BE(0);
  const isKnown = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  if (!isKnown && !(code >= 3000 && code <= 4999)) return 1002;
  return isUtf8(payload.subarray(2)) ? code : 1007;
}
