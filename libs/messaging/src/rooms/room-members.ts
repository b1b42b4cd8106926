import type { LogEntry, Position } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { entryFrames } from '../socket/entry-frames.js';
import type { Flusher } from '../socket/flusher.js';
import { SharedFrames } from '../socket/shared-frames.js';
import { Lag } from './lag.js';

/** How a client watches a room. */
export interface Membership {
  /** True if it keeps a live copy, so that its frames carry patches. */
  readonly withPatch: boolean;
}

/** Frames on their way to a room's members in this turn. */
interface OpenFrames {
  /** The turn of the event loop that they belong to. */
  readonly turn: number;
  readonly plain: SharedFrames;
  readonly patched: SharedFrames;
}

/** The members of one room on this node; puts the room's frames into their queues. */
export class RoomMembers {
  readonly members = new Map<ClientSocket, Membership>();
  /** Members that get no live events until they have caught up. */
  readonly paused = new Map<ClientSocket, Lag>();
  private open?: OpenFrames;

  constructor(
    private readonly name: string,
    private readonly flusher: Flusher,
    /** True if volatile frames reach members who are still catching up, too. */
    private readonly dropsNothing: boolean,
  ) {}

  get size(): number {
    return this.members.size;
  }

  join(client: ClientSocket, membership: Membership): void {
    this.seal();
    this.unpause(client);
    this.members.set(client, membership);
  }

  leave(client: ClientSocket): void {
    this.seal();
    this.unpause(client);
    this.members.delete(client);
  }

  pause(client: ClientSocket, from: Position): boolean {
    if (!this.members.has(client)) return false;
    const lag = this.paused.get(client);
    if (lag) {
      lag.from = from;
      return true;
    }
    this.seal();
    this.paused.set(client, new Lag(from));
    client.lags++;
    return true;
  }

  resume(client: ClientSocket): void {
    this.seal();
    this.unpause(client);
  }

  /** Sends log entries to all members; every frame is built once. */
  deliver(epoch: string, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      const { plain, patched } = this.current({ epoch, seq: entry.first - 1 });
      const frames = entryFrames(this.name, entry);
      for (const frame of frames.plain) plain.add(frame);
      if (plain !== patched) for (const frame of frames.patched()) patched.add(frame);
    }
  }

  /** Sends one volatile frame to all members but one; those who catch up miss it, unless the room drops nothing. */
  deliverVolatile(frame: Buffer, except?: string): void {
    const frames = new SharedFrames({ room: this.name });
    frames.add(frame);
    const clients = this.dropsNothing ? this.members.keys() : this.listening();
    for (const client of clients) if (client.id !== except) client.queue?.push(frames);
  }

  /** Sends one frame in the room's order to some members, who have seen the room up to a position; without one it may be lost. */
  deliverTo(clients: Iterable<ClientSocket>, frame: Buffer, after?: Position): void {
    this.seal();
    const frames = new SharedFrames({ room: this.name, ...(after && { after }) });
    frames.add(frame);
    for (const client of clients) if (!this.paused.has(client)) client.queue?.push(frames);
  }

  /** Members that get live events. */
  listening(): ClientSocket[] {
    const members = [...this.members.keys()];
    return this.paused.size === 0 ? members : members.filter((client) => !this.paused.has(client));
  }

  /**
   * Returns the frames of this turn, which are put into every member's queue the first time, and only extended after
   * that.
   */
  private current(after: Position): OpenFrames {
    const { open } = this;
    if (open?.turn === this.flusher.turn && open.plain.open && open.patched.open) return open;
    const origin = { room: this.name, after };
    const plain = new SharedFrames(origin);
    let patched = plain;
    for (const [client, { withPatch }] of this.members) {
      if (this.paused.size > 0 && this.paused.has(client)) continue;
      if (withPatch && patched === plain) patched = new SharedFrames(origin);
      client.queue?.push(withPatch ? patched : plain);
    }
    this.open = { turn: this.flusher.turn, plain, patched };
    return this.open;
  }

  private unpause(client: ClientSocket): void {
    if (this.paused.delete(client)) client.lags--;
  }

  /** Ends the open frames: members who join in this turn get only later events, those who leave only earlier ones. */
  private seal(): void {
    delete this.open;
  }
}
