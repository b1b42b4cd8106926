import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** A client with a session that counts its frames. */
export class Member {
  token;
  resets = 0;
  /** When it was pinged, ms. */
  pings = [];
  /** The close code, once there is one. */
  closed;
  #rooms = new Map();
  #replies = new Map();
  #ids = 0;
  #socket;

  constructor(socket, pongAfterMs) {
    this.#socket = socket;
    socket.on('message', (bytes) => this.#take(JSON.parse(bytes)));
    socket.on('close', (code) => (this.closed = code));
    socket.on('error', () => undefined);
    socket.on('ping', async () => {
      this.pings.push(Date.now());
      if (pongAfterMs === undefined) return;
      await delay(pongAfterMs);
      if (socket.readyState === WebSocket.OPEN) socket.pong();
    });
  }

  static async connect(url, user, { token, pongAfterMs } = {}) {
    const address = new URL(url);
    address.searchParams.set('user', user);
    const protocols = ['wss.v1', ...(token ? [`wss.resume.${token}`] : [])];
    const socket = new WebSocket(address, protocols, { autoPong: pongAfterMs === undefined });
    const member = new Member(socket, pongAfterMs);
    await once(socket, 'open');
    while (member.token === undefined) await once(socket, 'message');
    return member;
  }

  async join(room, data) {
    const { seq } = (await this.request('$join', data, room)).data;
    this.#rooms.set(room, { first: seq + 1, seen: seq, last: seq });
  }

  request(event, data, room) {
    const id = ++this.#ids;
    this.#socket.send(JSON.stringify({ event, data, room, id }));
    return new Promise((resolve) => this.#replies.set(id, resolve));
  }

  /** Events of the room that it got, or that were there before it joined. */
  seen(room) {
    return this.#rooms.get(room).seen;
  }

  /** Number of the newest event. */
  last(room) {
    return this.#rooms.get(room).last;
  }

  end() {
    this.#socket.terminate();
  }

  #take({ id, event, room, seq, data, error }) {
    if (event === '$hello') this.token = data.token;
    if (event === '$reset') this.resets++;
    if (id !== undefined) {
      this.#replies.get(id)?.({ data, error });
      this.#replies.delete(id);
    }
    const state = this.#rooms.get(room);
    if (seq === undefined || !state) return;
    state.seen++;
    state.last = seq;
  }
}
