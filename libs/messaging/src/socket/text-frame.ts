const FIN_TEXT = 0x81;
const FIN_PONG = 0x8a;

/** Builds a whole, unmasked WebSocket text frame (RFC 6455 §5.2), header and payload in one buffer. */
export function textFrame(payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = FIN_TEXT;
  if (header === 2) {
    frame[1] = length;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(payload, header, 'utf8');
  return frame;
}

/** Builds the answer to a ping, whose payload has at most 125 bytes. */
export function pongFrame(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(2 + payload.length);
  frame[0] = FIN_PONG;
  frame[1] = payload.length;
  payload.copy(frame, 2);
  return frame;
}
