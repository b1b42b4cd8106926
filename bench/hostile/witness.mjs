import { once } from 'node:events';
import { WebSocket } from 'ws';

const EVERY_MS = 4;

/** Two honest clients of one room: one asks and speaks, the other hears. */
export class Witness {
  #speaker;
  #hearer;
  #asked = new Map();
  #room = `chat:witness-${Date.now()}`;
  #ids = 0;
  #heard = 0;
  #said = 0;
  /** Events that were missed or came twice. */
  faults = 0;

  static async connect(url) {
    const witness = new Witness();
    witness.#speaker = await witness.#client(url, 'speaker');
    witness.#hearer = await witness.#client(url, 'hearer');
    for (const socket of [witness.#speaker, witness.#hearer]) await witness.#ask(socket, '$join', {});
    return witness;
  }

  async #client(url, user) {
    const socket = new WebSocket(`${url}?user=${user}`);
    await once(socket, 'open');
    socket.on('message', (bytes) => this.#take(socket, JSON.parse(bytes)));
    socket.on('close', (code) => (this.closed = code));
    return socket;
  }

  #take(socket, { id, event, seq }) {
    if (id !== undefined) {
      this.#asked.get(id)?.(performance.now());
      this.#asked.delete(id);
    } else if (event === 'chat.sent' && socket === this.#hearer) {
      if (seq !== this.#heard + 1) this.faults++;
      this.#heard = seq;
    }
  }

  async #ask(socket, event, data, room = this.#room) {
    const id = ++this.#ids;
    const startedAt = performance.now();
    socket.send(JSON.stringify({ event, id, data, ...(room && { room }) }));
    const at = await new Promise((resolve) => this.#asked.set(id, resolve));
    return at - startedAt;
  }

  /** Asks at a steady pace for so long; returns how long the answers took, ms. */
  async measure(ms) {
    const times = [];
    const open = [];
    const startedAt = performance.now();
    for (let next = startedAt, count = 0; next < startedAt + ms; next += EVERY_MS, count++) {
      while (performance.now() < next) await new Promise((resolve) => setTimeout(resolve, 1));
      const isChat = count % 2 === 1;
      if (isChat) this.#said++;
      const asked = isChat
        ? this.#ask(this.#speaker, 'chat.send', { text: 'hello' })
        : this.#ask(this.#speaker, 'echo.say', { text: 'hello' }, null);
      open.push(asked.then((time) => times.push(time)));
    }
    await Promise.all(open);
    return times;
  }

  /** Events that the hearer has not got; asked when all requests have been answered. */
  get missing() {
    return this.#said - this.#heard;
  }

  end() {
    this.#speaker.terminate();
    this.#hearer.terminate();
  }
}
