import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { entered } from '../lifetimes.js';

/** The kind of a frame (RFC 6455 §5.2). */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** How a frame is built; what is left out is as it has to be. */
export interface RawFrameOptions {
  /** Default true. */
  readonly fin?: boolean;
  /** The three reserved bits, as one number; default 0. */
  readonly rsv?: number;
  /** Four bytes; `null`: not masked. Default: zeros, which leave the payload as it is. */
  readonly mask?: Buffer | null;
  /** The length that the header states; default the payload's own. */
  readonly length?: number;
  /** Bytes of the header that hold the length: 0, 2 or 8 after the first. Default: the fewest that do. */
  readonly lengthBytes?: 0 | 2 | 8;
}

/** Builds a client's frame, right or wrong. */
export function rawFrame(
  opcode: number,
  payload: Buffer | string = '',
  options: RawFrameOptions = {},
): Buffer {
  const data = Buffer.from(payload);
  const { fin = true, rsv = 0, mask = Buffer.alloc(4), length = data.length } = options;
  const { lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8 } = options;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | (lengthBytes === 0 ? length & 0x7f : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length & 0xffff, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (mask) for (let at = 0; at < data.length; at++) data[at]! ^= mask[at & 3]!;
  return Buffer.concat([head, mask ?? Buffer.alloc(0), data]);
}

/** A frame of a server. */
export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/**
 * A WebSocket client that is a bare TCP connection: it sends any bytes, answers nothing by itself, and reads only while
 * it is told to.
 */
export class RawClient {
  /** All frames that have come. */
  readonly frames: ReceivedFrame[] = [];
  /** Resolves with the code of the server's close frame when the connection has ended; undefined without one. */
  readonly ended: Promise<number | undefined>;
  private rest = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    this.ended = new Promise((resolve) => socket.once('close', () => resolve(this.closeCode)));
  }

  /**
   * Connects and completes the handshake.
   * @throws Error when the server does not answer 101
   */
  static async connect(
    port: number,
    target = '/',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const release = entered(`RawClient of port ${port}`, () => socket.destroy());
    socket.once('close', release).on('error', () => undefined);
    socket.write(upgradeText(port, target, headers));
    const client = new RawClient(socket);
    let head = Buffer.alloc(0);
    while (!head.includes('\r\n\r\n')) {
      const ended = client.ended.then(() => [undefined] as const);
      const [chunk] = (await Promise.race([once(socket, 'data'), ended])) as [Buffer | undefined];
      if (!chunk) throw new Error(`no WebSocket: ${head.toString('latin1')}`);
      head = Buffer.concat([head, chunk]);
    }
    if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) {
      socket.destroy();
      throw new Error(`no WebSocket: ${head.toString('latin1')}`);
    }
    socket.on('data', (chunk: Buffer) => client.take(chunk));
    client.take(head.subarray(head.indexOf('\r\n\r\n') + 4));
    return client;
  }

  /** The code of the server's close frame: 1005 if it has none; undefined without a close frame. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === OPCODES.close);
    if (!close) return undefined;
    return close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1005;
  }

  /** The text frames that have come. */
  get texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === OPCODES.text).map(({ payload }) => String(payload));
  }

  /** Sends bytes; returns false if they wait in this process. */
  write(bytes: Buffer): boolean {
    return !this.socket.destroyed && this.socket.write(bytes);
  }

  /** Sends bytes and resolves when the system has taken them, or the connection has ended. */
  async written(bytes: Buffer): Promise<void> {
    if (!this.write(bytes))
      await Promise.race([once(this.socket, 'drain').catch(() => undefined), this.ended]);
  }

  /** Reads nothing from now on. */
  stopReading(): void {
    this.socket.pause();
  }

  /** Ends the connection without a close frame. */
  terminate(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (let end; (end = frameEnd(bytes)) !== undefined; bytes = bytes.subarray(end)) {
      const { opcode, from } = headerOf(bytes);
      this.frames.push({ opcode, payload: bytes.subarray(from, end) });
    }
    this.rest = Buffer.from(bytes);
  }
}

function frameEnd(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const { from, length } = headerOf(bytes);
  return bytes.length < from || bytes.length < from + length ? undefined : from + length;
}

function headerOf(bytes: Buffer): { opcode: number; from: number; length: number } {
  const short = bytes[1]! & 0x7f;
  const from = short < 126 ? 2 : short === 126 ? 4 : 10;
  const opcode = bytes[0]! & 0x0f;
  if (bytes.length < from) return { opcode, from, length: 0 };
  if (short < 126) return { opcode, from, length: short };
  return { opcode, from, length: short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)) };
}

function upgradeText(port: number, target: string, headers: Readonly<Record<string, string>>): string {
  const lines = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${target} HTTP/1.1`, ...head, '\r\n'].join('\r\n');
}
