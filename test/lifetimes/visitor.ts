import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { Random } from '@wss/testing';
import { KEPT_ROOMS } from './den.feature.js';

const USERS = 6;
const ROOMS = 30;
/** Malformed handshakes; each is refused by the protocol itself. */
const BAD_HANDSHAKES: readonly Readonly<Record<string, string | undefined>>[] = [
  { 'Sec-WebSocket-Key': undefined },
  { 'Sec-WebSocket-Key': 'short' },
  { 'Sec-WebSocket-Version': '7' },
  { 'Sec-WebSocket-Protocol': 'wss.v1, wss.v1' },
  { Upgrade: 'h2c' },
];

/** Tokens of all visitors of a run; a visitor that resumes one takes over its session. */
export type Tokens = string[];

/** A client that does what comes to its mind, waits for little, and is gone at the end. */
export class Visitor {
  private socket?: WebSocket;
  private requests = 0;
  private isResident = false;
  private readonly numbers = new Map<string, number>();
  private readonly joined = new Set<string>();

  constructor(
    private readonly random: Random,
    private readonly urls: readonly string[],
    private readonly tokens: Tokens,
    private readonly done: string[],
  ) {}

  /** Takes so many steps; resolves when nothing of it is left. */
  async live(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await this.step();
      if (this.random.below(3) > 0)
        await new Promise((resolve) => setTimeout(resolve, this.random.below(12)));
    }
    await this.leave();
  }

  /** Takes so many steps on a connection of the caller's, leaves all rooms, and waits until that is done. */
  async reside(socket: WebSocket, steps: number): Promise<void> {
    this.socket = socket;
    this.isResident = true;
    for (let step = 0; step < steps; step++) {
      this.act(10 + this.random.below(90));
      if (this.random.below(3) > 0)
        await new Promise((resolve) => setTimeout(resolve, this.random.below(12)));
    }
    for (const room of this.joined) this.send('$leave', room);
    this.joined.clear();
    const last = ++this.requests;
    const answered = new Promise<void>((resolve, reject) => {
      const onMessage = (bytes: Buffer): void => {
        if ((JSON.parse(String(bytes)) as { id?: number }).id !== last) return;
        socket.off('message', onMessage);
        resolve();
      };
      socket.on('message', onMessage).once('close', () => reject(new Error('a resident was closed')));
    });
    socket.send(JSON.stringify({ event: '$ping', id: last }));
    await answered;
  }

  private async step(): Promise<void> {
    const dice = this.random.below(100);
    if (dice < 4) return this.handshake();
    if (dice < 6) return this.brokenHandshake();
    if (this.socket?.readyState !== WebSocket.OPEN) return this.open();
    if (dice < 10) return this.leave();
    this.act(dice);
  }

  private act(dice: number): void {
    if (dice < 40) return this.join();
    if (dice < 58) return this.send('$leave', this.room());
    if (dice < 66) return this.send('$ping', this.room());
    if (dice < 70) return this.send('$presence', this.room());
    if (dice < 73) return this.send('$skip', this.room(), {}, true);
    if (dice < 76) return this.send('$auth', this.room(), { token: 'none' });
    this.command();
  }

  private join(): void {
    const room = this.room();
    this.joined.add(room);
    this.send('$join', room, this.joinData());
  }

  private command(): void {
    const event = this.random.pick(['den.look', 'hall.look', 'den.fall', 'den.unknown', 'den.mark']);
    const room = event === 'den.mark' ? this.random.pick(KEPT_ROOMS) : this.room();
    this.send(event, room, {}, this.random.below(2) > 0);
  }

  private room(): string {
    const key = this.random.below(ROOMS);
    const invented = this.random.below(1e9).toString(36);
    return this.random.pick([
      `den:${key}`,
      `den:${key}`,
      `vault:${key}`,
      this.random.pick(KEPT_ROOMS),
      `den:${invented}`,
      `hall:${invented}`,
      `nowhere:${invented}`,
      `no name ${invented}`,
      `den:${invented}`.padEnd(60_000, 'x'),
    ]);
  }

  private joinData(): object {
    return this.random.pick([
      {},
      { state: true },
      { last: 5 },
      { meta: { mood: this.random.below(9) } },
      { epoch: '1.x', seq: 3 },
      { last: -1 },
    ]);
  }

  private send(event: string, room: string, data: object = {}, numbered = false): void {
    // The record that a number leaves in a room stays as long as the room.
    const mayStay = KEPT_ROOMS.includes(room) || (room.startsWith('hall:') && !this.isResident);
    const n = numbered && mayStay && this.random.below(8) > 0 ? (this.numbers.get(room) ?? 0) + 1 : undefined;
    if (n !== undefined) this.numbers.set(room, n);
    this.note(`${event} ${room.length > 100 ? `${room.length} characters` : room} ${n ?? ''}`);
    this.socket!.send(JSON.stringify({ event, room, data, id: ++this.requests, ...(n && { n }) }));
  }

  private async open(): Promise<void> {
    const token = this.random.below(3) === 0 ? this.random.pick([...this.tokens, undefined]) : undefined;
    const resume = token === undefined ? [] : [`wss.resume.${token}`];
    const protocols = this.random.below(4) === 0 ? [] : ['wss.v1', ...resume];
    await this.leave();
    this.note(`open ${protocols.length}`);
    // Mostly the user of the session; now and then somebody else.
    const user = token?.split('|')[0] ?? `u${this.random.below(USERS)}`;
    const own = protocols.map((name) => name.replace(`${user}|`, ''));
    const socket = new WebSocket(`${this.random.pick(this.urls)}?user=${user}`, own);
    this.socket = socket;
    this.numbers.clear();
    socket.on('error', () => undefined);
    socket.on('message', (bytes: Buffer) => this.onFrame(user, String(bytes)));
    if (this.random.below(6) === 0) return;
    await new Promise((resolve) => socket.once('open', resolve).once('close', resolve));
  }

  private onFrame(user: string, text: string): void {
    if (!text.startsWith('{"event":"$hello"')) return;
    const { data } = JSON.parse(text) as { data: { token: string } };
    this.tokens.push(`${user}|${data.token}`);
    if (this.tokens.length > 20) this.tokens.shift();
  }

  /** In order, or without a word. */
  private async leave(): Promise<void> {
    const { socket } = this;
    delete this.socket;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    this.note('close');
    if (this.random.below(2) === 0 && socket.readyState === WebSocket.OPEN) socket.close();
    else socket.terminate();
    await closed;
  }

  private async handshake(): Promise<void> {
    this.note('bad handshake');
    const socket = this.upgrade(this.random.pick(BAD_HANDSHAKES));
    socket.resume();
    await once(socket, 'close');
  }

  /** Asks and is gone. */
  private async brokenHandshake(): Promise<void> {
    this.note('broken handshake');
    const socket = this.upgrade({});
    await new Promise((resolve) => setTimeout(resolve, this.random.below(3)));
    socket.destroy();
    await once(socket, 'close');
  }

  private upgrade(headers: Readonly<Record<string, string | undefined>>): ReturnType<typeof connect> {
    const url = new URL(this.random.pick(this.urls));
    const lines = {
      Host: url.host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'wss.v1',
      ...headers,
    };
    const fields = Object.entries(lines).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}`],
    );
    const socket = connect(Number(url.port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write([`GET /?user=u${this.random.below(USERS)} HTTP/1.1`, ...fields, '\r\n'].join('\r\n'));
    return socket;
  }

  private note(what: string): void {
    this.done.push(what);
  }
}
