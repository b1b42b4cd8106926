import type { RawData } from 'ws';

/** Returns the bytes of a message, whatever `binaryType` a gateway has given the socket. */
export function frameBytes(data: RawData): number {
  if (Array.isArray(data)) return data.reduce((sum, { length }) => sum + length, 0);
  return data instanceof Blob ? data.size : data.byteLength;
}

/** A frame that waits to be read, and when it came, ms on this process' steady clock. */
export interface HeldFrame {
  readonly data: RawData;
  readonly isBinary: boolean;
  readonly arrivedAt: number;
}
