import type { ClientSession } from '@wss/core';
import { ClientSocket } from '../../src/socket/client-socket.js';
import { RoutedSocket } from '../../src/socket/routed-socket.js';
import type { ClientConnections } from '../../src/connections/client-connections.js';
import type { CommandRouter } from '../../src/commands/command-router.js';
import { framesIn, Line } from './line.js';
import type { LogRoom } from './log-room.js';
import { type EventFrame, type JoinWish, type Judgement, SeenRoom, type StartData } from './seen-room.js';

export interface WatchedClientOptions {
  readonly connections: ClientConnections;
  readonly router: CommandRouter;
  readonly session: string;
  readonly generation: number;
  readonly hasLane: boolean;
}

/** `ws` makes server sockets like this. */
const newSocket = RoutedSocket as unknown as new (
  address: null,
  protocols: undefined,
  options: object,
) => RoutedSocket;
type Attach = { setSocket(socket: Line, head: Buffer, options: object): void };

interface ReplyFrame {
  readonly id: string;
  readonly data?: StartData;
  readonly error?: { readonly code: string; readonly message: string };
}

type ServerFrame = ReplyFrame | (EventFrame & { readonly id?: undefined; readonly room?: string });

/** A client of the product over a line that a test blocks, and what it saw. */
export class WatchedClient {
  readonly line = new Line();
  readonly socket: ClientSocket;
  readonly session: string;
  readonly generation: number;
  private readonly rooms = new Map<string, SeenRoom>();
  private readonly asked = new Map<string, { readonly room: string; readonly wish?: JoinWish }>();
  /** It joined a room again, and what is queued before such a reply can't be dropped; or one whose policy is not `resync`. */
  private mayBeTooSlow = false;

  constructor(private readonly options: WatchedClientOptions) {
    const { session, generation } = options;
    this.session = session;
    this.generation = generation;
    const socket = new newSocket(null, undefined, {});
    (socket as unknown as Attach).setSocket(this.line, Buffer.alloc(0), { maxPayload: 65_536 });
    this.begin(socket, options);
    this.socket = ClientSocket.of(socket)!;
  }

  private begin(
    socket: RoutedSocket,
    { connections, router, session, generation, hasLane }: WatchedClientOptions,
  ): void {
    const opened: ClientSession = {
      id: session,
      user: 'ann',
      generation,
      endsAt: Infinity,
      hasLane: () => hasLane,
      provesLoss: () => true,
    };
    connections.begin(
      socket,
      this.line,
      { user: 'ann', opened: { session: opened, token: 't', resumed: false, rooms: [] } },
      { reader: { read: () => undefined }, connections, cleanUps: new Set(), router },
    );
  }

  get isOpen(): boolean {
    return this.socket.readyState === RoutedSocket.OPEN;
  }

  watch(room: LogRoom): void {
    this.rooms.set(room.name, new SeenRoom(this.socket.id, room));
  }

  join(room: string, wish: JoinWish): void {
    const { from, last, state } = wish;
    this.mayBeTooSlow ||= !room.startsWith('log:');
    this.mayBeTooSlow ||= [...this.asked.values()].some((asked) => asked.room === room && asked.wish);
    this.send('$join', room, { data: { ...from, last, state }, wish });
  }

  leave(room: string): void {
    this.send('$leave', room, { data: {} });
  }

  private send(event: string, room: string, { data, wish }: { data: object; wish?: JoinWish }): void {
    if (!this.isOpen) return;
    const id = `${event}${this.asked.size}`;
    this.asked.set(id, { room, ...(wish && { wish }) });
    this.options.router.dispatch(this.socket, { event, data, id, room });
  }

  /** All text that it was sent, parsed. */
  get texts(): unknown[] {
    return framesIn(this.line.received)
      .filter(({ opcode }) => opcode === 1)
      .map(({ payload }) => JSON.parse(payload.toString()) as unknown);
  }

  /** Judges all that it was sent. */
  judge(judgement: Judgement): void {
    for (const { opcode, payload } of framesIn(this.line.received)) {
      if (opcode === 1) this.onText(JSON.parse(payload.toString()) as ServerFrame, judgement);
      else if (opcode === 8 && payload.readUInt16BE(0) === 4408 && !this.mayBeTooSlow) {
        judgement.problem(`${this.socket.id} was closed as too slow`);
      }
    }
    if (this.isOpen) for (const room of this.rooms.values()) room.atTheEnd(judgement);
  }

  private onText(frame: ServerFrame, judgement: Judgement): void {
    if (frame.id !== undefined) return this.onReply(frame, judgement);
    if (frame.room !== undefined) this.rooms.get(frame.room)!.onFrame(frame, judgement);
  }

  private onReply({ id, data, error }: ReplyFrame, judgement: Judgement): void {
    // A process that stalled for the time limit says so, and the client stays where it was.
    if (error?.message.includes('no start within')) return judgement.count('stalled');
    if (error)
      return judgement.problem(`${this.socket.id}: ${id} was answered ${error.code}: ${error.message}`);
    const { room, wish } = this.asked.get(id)!;
    if (wish) this.rooms.get(room)!.onJoined(wish, data!, judgement);
    else this.rooms.get(room)!.onLeft();
  }
}
