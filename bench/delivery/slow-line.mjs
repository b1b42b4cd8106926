import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const SLICES_PER_SECOND = 50;

/** A connection to a node that reads at a given speed. */
export class SlowLine {
  url;
  #server;
  #upstream;
  #timer;
  #sliceBytes = Infinity;

  static async open(url) {
    const line = new SlowLine();
    const { hostname, port } = new URL(url);
    line.#server = createServer((client) => line.#join(client, connect(Number(port), hostname)));
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    line.url = `ws://127.0.0.1:${line.#server.address().port}/`;
    return line;
  }

  /** Takes nothing more. */
  stall() {
    this.#sliceBytes = 0;
  }

  take(bytesPerSecond) {
    this.#sliceBytes = Math.round(bytesPerSecond / SLICES_PER_SECOND);
  }

  close() {
    clearInterval(this.#timer);
    this.#upstream.destroy();
    this.#server.close();
  }

  #join(client, upstream) {
    this.#upstream = upstream;
    client.pipe(upstream);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    upstream.on('close', () => client.destroy());
    this.#timer = setInterval(() => this.#pass(client, upstream), 1_000 / SLICES_PER_SECOND);
    // Reading begins with the first look.
    upstream.on('readable', () => undefined);
  }

  #pass(client, upstream) {
    for (let left = this.#sliceBytes; left > 0 && upstream.readableLength > 0;) {
      const bytes = upstream.read(Math.min(left, upstream.readableLength));
      if (bytes === null) return;
      client.write(bytes);
      left -= bytes.length;
    }
  }
}
