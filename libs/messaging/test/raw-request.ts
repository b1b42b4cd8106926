import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** Sends text or bytes over TCP and returns all that comes until the server ends the connection. */
export async function rawRequest(port: number, request: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  const answer = await text(socket);
  socket.destroy();
  return answer;
}

/** The head of an upgrade request for a target. */
export function upgradeRequest(target: string): string {
  return [
    `GET ${target} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n');
}

/** A client's frame with at most 125 bytes, masked with zeros. */
export function clientFrame(opcode: 1 | 2 | 8, payload = ''): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
}
