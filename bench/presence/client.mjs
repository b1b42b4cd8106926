import { EventEmitter, once } from 'node:events';
import { RawSocket } from '../shared/raw-socket.mjs';

/** Takes frames apart no further than it must: there are very many. */
export class Client {
  latencies = [];
  announcements = 0;
  heardAt = 0;
  /** Users that were announced as gone, where that is wanted. */
  left = 0;
  countsLeft = false;
  #waiting = new Map();
  #count = 0;
  #url;

  constructor(url) {
    this.#url = url;
  }

  async open() {
    const events = new EventEmitter();
    this.socket = new RawSocket(this.#url, {
      onOpen: () => events.emit('open'),
      onText: (bytes) => this.#take(bytes),
      onEnd: (reason) => events.emit('error', new Error(`the connection ended: ${reason}`)),
    });
    await once(events, 'open');
    events.on('error', () => {});
  }

  ask(event, room) {
    const id = ++this.#count;
    this.socket.send(JSON.stringify({ event, room, id }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #take(bytes) {
    const head = bytes.toString('latin1', 0, 200);
    if (head.startsWith('{"event":"bench.said"')) {
      this.latencies.push(Date.now() - Number(/"at":(\d+)/.exec(head)[1]));
    } else if (head.startsWith('{"event":"$presence"')) {
      this.announcements++;
      this.heardAt = performance.now();
      if (this.countsLeft) this.left += JSON.parse(bytes.toString()).data.left.length;
    } else {
      const id = Number(/"id":(\d+)/.exec(head)?.[1]);
      if (head.includes('"error"')) throw new Error(head);
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    }
  }
}
