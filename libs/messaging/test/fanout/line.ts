import { Duplex } from 'node:stream';

/** The stream under a client's WebSocket, which takes nothing while it is blocked. */
export class Line extends Duplex {
  /** Bytes that the client's side has received. */
  readonly received: Buffer[] = [];
  private blocked = false;
  private held?: () => void;

  /** Takes nothing more until it is opened. */
  block(): void {
    this.blocked = true;
  }

  /** Takes everything again. */
  open(): void {
    this.blocked = false;
    this.takeHeld();
  }

  /** Takes what is being written, and nothing of what waits behind it. */
  takeOne(): void {
    this.takeHeld();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const take = (): void => {
      this.received.push(chunk);
      done();
    };
    if (this.blocked) this.held = take;
    else take();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    delete this.held;
    done(error);
  }

  private takeHeld(): void {
    const { held } = this;
    delete this.held;
    held?.();
  }
}

/** One unmasked frame that a server sent. */
export interface WireFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes apart what a server wrote; a frame that was cut off does not count. */
export function framesIn(received: readonly Buffer[]): WireFrame[] {
  const bytes = Buffer.concat(received);
  const frames: WireFrame[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = bytes[at]! & 0x0f;
    const short = bytes[at + 1]!;
    const [header, length] =
      short < 126
        ? [2, short]
        : short === 126
          ? [4, bytes.readUInt16BE(at + 2)]
          : [10, Number(bytes.readBigUInt64BE(at + 2))];
    if (at + header + length > bytes.length) break;
    frames.push({ opcode, payload: bytes.subarray(at + header, at + header + length) });
    at += header + length;
  }
  return frames;
}
