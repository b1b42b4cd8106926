import { connect } from 'node:net';

/** A key of zeros leaves the payload as it is. */
const NO_MASK = Buffer.alloc(4);
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * A WebSocket client that does as little as possible: a benchmark has very many of them on few cores, and is to
 * measure the server. It takes whole frames of servers that it trusts.
 */
export class RawSocket {
  #socket;
  #rest = Buffer.alloc(0);
  #open = false;

  /**
   * @param url `ws:` address
   * @param options.protocols subprotocols to offer
   * @param options.localAddress address to connect from: one has about 28,000 ports
   * @param options.onOpen called when the server has accepted
   * @param options.onText called with the bytes of each text frame
   * @param options.onEnd called once, with a reason, when the connection has ended or could not be made
   */
  constructor(url, { protocols = [], localAddress, onOpen, onText, onEnd }) {
    const { hostname, port, pathname, search } = new URL(url);
    this.onOpen = onOpen;
    this.onText = onText;
    let reason = 'closed';
    this.#socket = connect({ host: hostname, port: Number(port), localAddress, noDelay: true });
    this.#socket.write(upgrade(`${hostname}:${port}`, pathname + search, protocols));
    this.#socket
      .on('data', (bytes) => this.#read(bytes))
      .on('error', (error) => (reason = error.code))
      .on('close', () => onEnd(reason));
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  /** Ends the connection without ado. */
  terminate() {
    this.#socket.destroy();
  }

  #write(kind, payload) {
    const { length } = payload;
    const head =
      length < 126
        ? Buffer.from([0x80 | kind, 0x80 | length])
        : Buffer.from([0x80 | kind, 0xfe, length >> 8, length & 0xff]);
    this.#socket.write(Buffer.concat([head, NO_MASK, payload]));
  }

  #read(bytes) {
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (!this.#open) {
      const end = data.indexOf('\r\n\r\n');
      if (end >= 0) data = this.#accept(data, end);
    }
    this.#rest = this.#open ? this.#takeFrames(data) : data;
  }

  #accept(data, end) {
    const status = data.toString('latin1', 9, 12);
    if (status !== '101') {
      this.#socket.destroy(Object.assign(new Error('refused'), { code: `HTTP ${status}` }));
      return data;
    }
    this.#open = true;
    this.onOpen();
    return data.subarray(end + 4);
  }

  #takeFrames(data) {
    let at = 0;
    for (let next; (next = frameAt(data, at)) !== undefined; at = next.end) {
      const { kind, from, end } = next;
      if (kind === TEXT) this.onText(data.subarray(from, end));
      else if (kind === PING) this.#write(PONG, data.subarray(from, end));
      else if (kind === CLOSE) this.#socket.end();
    }
    return data.subarray(at);
  }
}

/** The frame that begins here, if all of it is there. */
function frameAt(data, at) {
  if (data.length < at + 2) return undefined;
  const short = data[at + 1];
  const from = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
  if (data.length < from) return undefined;
  const length =
    short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
  return data.length < from + length ? undefined : { kind: data[at] & 0x0f, from, end: from + length };
}

function upgrade(host, target, protocols) {
  const lines = [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(protocols.length > 0 ? [`Sec-WebSocket-Protocol: ${protocols.join(', ')}`] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
