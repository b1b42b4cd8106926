/** Most bytes of a client that are kept until a node takes it: more than any request to upgrade has. */
const MOST_BYTES = 65_536;
/** Time within which a refusal reaches a client, ms. */
const REFUSAL_MS = 1_000;
const TEXT = 'No node takes clients at present: see the terminal.\n';
const REFUSAL = [
  'HTTP/1.1 503 Service Unavailable',
  'Retry-After: 1',
  'Content-Type: text/plain',
  `Content-Length: ${TEXT.length}`,
  'Connection: close',
  '',
  TEXT,
].join('\r\n');

/**
 * A client's connection before a node takes it. It is read, up to a bound, so that one whose client has gone is seen:
 * led to a node later, it would take the session from the client's next connection.
 */
export class HeldClient {
  head = [];
  bytes = 0;

  constructor(socket) {
    this.socket = socket;
    // The close that follows tells everything.
    socket.on('error', () => undefined);
    socket.on('data', this.keep);
    socket.on('end', this.leave);
  }

  get isGone() {
    return this.socket.destroyed;
  }

  /** @returns a function that ends the call */
  onGone(listener) {
    this.socket.once('close', listener);
    return () => this.socket.off('close', listener);
  }

  /** Leads it to a node: from now on either end sees the other. */
  join(upstream) {
    const { socket } = this;
    if (this.isGone) return upstream.destroy();
    this.letGo();
    for (const chunk of this.head.splice(0)) upstream.write(chunk);
    socket.pipe(upstream);
    upstream.pipe(socket);
    socket.once('close', () => upstream.destroySoon());
    upstream.once('close', () => socket.destroySoon());
  }

  refuse() {
    this.letGo();
    this.socket.resume().end(REFUSAL);
    const timer = setTimeout(() => this.socket.destroy(), REFUSAL_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }

  letGo() {
    this.socket.off('data', this.keep).off('end', this.leave);
  }

  keep = (chunk) => {
    this.head.push(chunk);
    this.bytes += chunk.length;
    if (this.bytes > MOST_BYTES) this.socket.pause();
  };

  leave = () => this.socket.destroy();
}
