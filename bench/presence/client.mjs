import { once } from 'node:events';
import WebSocket from 'ws';

/** Takes frames apart no further than it must: there are very many. */
export class Client {
  latencies = [];
  announcements = 0;
  heardAt = 0;
  #waiting = new Map();
  #count = 0;
  #url;

  constructor(url) {
    this.#url = url;
  }

  async open() {
    this.socket = new WebSocket(this.#url, { perMessageDeflate: false });
    this.socket.on('message', (bytes) => this.#take(bytes.toString('latin1', 0, 200)));
    await once(this.socket, 'open');
  }

  ask(event, room) {
    const id = ++this.#count;
    this.socket.send(JSON.stringify({ event, room, id }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #take(head) {
    if (head.startsWith('{"event":"bench.said"')) {
      this.latencies.push(Date.now() - Number(/"at":(\d+)/.exec(head)[1]));
    } else if (head.startsWith('{"event":"$presence"')) {
      this.announcements++;
      this.heardAt = performance.now();
    } else {
      const id = Number(/"id":(\d+)/.exec(head)?.[1]);
      if (head.includes('"error"')) throw new Error(head);
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    }
  }
}
