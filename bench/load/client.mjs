import { connect } from 'node:net';

/** Loopback addresses that clients come from: one has about 28,000 ports. */
const ADDRESSES = 8;
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);
const PING = 9;
const PONG = 10;
const ANSWER_WITHIN_MS = 10_000;
const AT_ONCE = 200;

/** All clients read into one buffer: a frame is looked at before the next read. */
const inbox = Buffer.allocUnsafe(1 << 18);

/** The bytes of a text frame; masked with something, so that servers pay for unmasking. */
export function textFrame(text) {
  return frame(1, Buffer.from(text));
}

/**
 * A client of a load, on raw TCP, which costs as little as it can: the generator must not be the limit. A load sets
 * `onFrame(bytes, from, length)`, called with each frame, and `onRead()`, called after each read.
 */
export class LoadClient {
  onFrame = undefined;
  onRead = undefined;
  #wire;
  #socket;
  #rest = undefined;
  /** The number of greetings of the server that were seen; −1 before its answer to the upgrade. */
  #step = -1;
  #answered = undefined;
  #opened;

  constructor(wire, port, number) {
    this.number = number;
    this.#wire = wire;
    this.opened = new Promise((resolve, reject) => (this.#opened = { resolve, reject }));
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      localAddress: `127.0.0.${2 + (number % ADDRESSES)}`,
      noDelay: true,
      onread: { buffer: inbox, callback: (length) => this.#read(length) },
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => this.#opened.reject(new Error('a connection ended')));
    this.#socket.write(upgrade(wire.path(number), port));
  }

  send(text) {
    this.write(textFrame(text));
  }

  write(bytes) {
    this.#socket.write(bytes);
  }

  /** True from the connection's end on. */
  get hasEnded() {
    return this.#socket.destroyed;
  }

  /** Asks and returns the data of the answer; `undefined` if none comes within `withinMs`. */
  async ask(event, data, withinMs = ANSWER_WITHIN_MS) {
    const answer = new Promise((resolve) => (this.#answered = resolve));
    let timer;
    const silence = new Promise((resolve) => (timer = setTimeout(resolve, withinMs)));
    this.send(this.#wire.ask(event, JSON.stringify(data)));
    const text = await Promise.race([answer, silence]);
    clearTimeout(timer);
    this.#answered = undefined;
    return text === undefined ? undefined : this.#wire.data(text);
  }

  #read(length) {
    let bytes = inbox;
    let end = length;
    if (this.#rest) {
      bytes = Buffer.concat([this.#rest, inbox.subarray(0, length)]);
      end = bytes.length;
      this.#rest = undefined;
    }
    let at = 0;
    if (this.#step < 0) at = this.#accept(bytes, end);
    if (this.#step >= 0) at = this.#frames(bytes, at, end);
    if (at < end) this.#rest = Buffer.from(bytes.subarray(at, end));
    this.onRead?.();
    return true;
  }

  #accept(bytes, end) {
    const head = bytes.subarray(0, end).indexOf('\r\n\r\n');
    if (head < 0) return 0;
    const status = bytes.latin1Slice(9, 12);
    if (status !== '101') {
      this.#opened.reject(new Error(`an upgrade was answered with ${status}`));
      this.#socket.destroy();
      return end;
    }
    this.#step = 0;
    if (this.#wire.first) this.send(this.#wire.first);
    if (!this.#wire.hello) this.#opened.resolve();
    return head + 4;
  }

  /** Takes whole frames; returns where the first part of one begins. */
  #frames(bytes, begin, end) {
    let at = begin;
    while (end - at >= 2) {
      let length = bytes[at + 1] & 0x7f;
      let head = 2;
      if (length === 126) {
        if (end - at < 4) break;
        length = bytes.readUInt16BE(at + 2);
        head = 4;
      } else if (length === 127) {
        if (end - at < 10) break;
        length = bytes.readUInt32BE(at + 6);
        head = 10;
      }
      const from = at + head;
      if (end - from < length) break;
      this.#take(bytes[at] & 0x0f, bytes, from, length);
      at = from + length;
    }
    return at;
  }

  #take(kind, bytes, from, length) {
    if (kind === PING) return this.write(frame(PONG, Buffer.from(bytes.subarray(from, from + length))));
    const { ping, pong, hello } = this.#wire;
    if (ping && length === ping.length && bytes[from] === ping.charCodeAt(0)) return this.send(pong);
    if (hello && this.#step < hello.length) return this.#greet(bytes.latin1Slice(from, from + length));
    const answered = this.#answered;
    if (!answered) return this.onFrame?.(bytes, from, length);
    this.#answered = undefined;
    answered(bytes.utf8Slice(from, from + length));
  }

  #greet(text) {
    const { begin, send } = this.#wire.hello[this.#step];
    if (!text.startsWith(begin)) return;
    if (send) this.send(send);
    if (++this.#step === this.#wire.hello.length) this.#opened.resolve();
  }
}

/**
 * Opens clients, at most 200 at a time.
 * @param portOf the port of the node of client `i`
 * @param roomOf the room that client `i` joins, if any
 * @returns them, all open and joined
 */
export async function open(wire, count, { portOf, roomOf, first = 0 }) {
  const clients = [];
  for (let from = 0; from < count; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => from + i);
    const group = numbers.map((i) => new LoadClient(wire, portOf(i), first + i));
    await Promise.all(group.map(({ opened }) => opened));
    if (roomOf) await Promise.all(group.map((client, i) => join(client, roomOf(from + i))));
    clients.push(...group);
  }
  return clients;
}

async function join(client, room) {
  const data = await client.ask('join', { room });
  if (!data || data.error) throw new Error(`a join was not answered well: ${JSON.stringify(data)}`);
}

function frame(kind, payload) {
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([0x80 | kind, 0x80 | length])
      : Buffer.from([0x80 | kind, 0xfe, length >> 8, length & 0xff]);
  for (let i = 0; i < length; i++) payload[i] ^= MASK[i & 3];
  return Buffer.concat([head, MASK, payload]);
}

function upgrade(target, port) {
  const lines = [
    `GET ${target} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
