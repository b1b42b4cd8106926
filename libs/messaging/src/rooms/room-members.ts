import { ends, type HistoryReset, type LoggedEnding, loggedEnding } from '@wss/core';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { EntryFrames } from '../socket/entry-frames.js';
import type { Flusher } from '../socket/flusher.js';
import type { RoomPlace } from '../socket/room-state.js';
import { SharedFrames } from '../socket/shared-frames.js';

let lastOrder = 0;

/** The position of a member that gets no live events until it has caught up. */
export class Lag {
  /** True while a part is being read for it. */
  isReading = false;
  /** Place in the order of waiting: the lowest number has waited longest for a part. */
  order = ++lastOrder;
  /** True if it has waited longest of the client's rooms, and gets its part even if others were faster. */
  isNext = false;

  /** @param from end of the events that the member was sent and that were not dropped since */
  constructor(public from: Position) {}

  /** Notes that it got a part: other rooms are next. */
  wasServed(): void {
    this.order = ++lastOrder;
    this.isNext = false;
  }
}

/** How a client watches a room. */
export interface Membership {
  /** True if it keeps a live copy, so that its frames carry patches. */
  readonly withPatch: boolean;
}

/** Called with each member whose membership an ending ends, before anything else of the room is sent. */
export type EndMembership = (client: ClientSocket, ending: LoggedEnding) => void;

/** Dependencies and settings of a room's members. */
export interface RoomMembersOptions {
  readonly name: string;
  readonly flusher: Flusher;
  /** True if volatile frames reach members who are still catching up, too. */
  readonly dropsNothing: boolean;
  readonly end: EndMembership;
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

  /** Where the members are; shared with the states of the room that they have. */
  readonly place: RoomPlace;

  /** @param seen the room's position when the first one joins */
  constructor(
    private readonly options: RoomMembersOptions,
    seen: Position,
  ) {
    this.place = { seen };
  }

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
      this.place.seen = { epoch, seq: lastSeq(entry) };
      if (entry.ending) this.end({ ...entry.ending, ...this.place.seen });
      const { plain, patched } = this.current({ epoch, seq: entry.first - 1 });
      const frames = new EntryFrames(this.options.name, entry);
      for (const frame of frames.plain) plain.add(frame);
      if (plain !== patched) for (const frame of frames.patched()) patched.add(frame);
    }
  }

  /**
   * Ends the memberships that ended while the log did not reach this node, and those of which that is not known. Frames that follow belong to a position.
   * @returns the members of whom it is not known
   */
  catchUpEndings({ gate, position }: Pick<HistoryReset, 'gate' | 'position'>, since: string): ClientSocket[] {
    const unknown: ClientSocket[] = [];
    for (const client of gate ? [...this.members.keys()] : []) {
      const end = gate!.endOf({ user: client.user, session: client.session?.id }, since);
      if (end === 'unknown') unknown.push(client);
      else if (end) this.endOne(client, loggedEnding(end, position.epoch));
    }
    this.place.seen = position;
    return unknown;
  }

  /** Ends the memberships that an ending concerns. */
  end(ending: LoggedEnding): void {
    for (const client of [...this.members.keys()]) {
      if (ends(ending, { user: client.user, session: client.session?.id })) this.endOne(client, ending);
    }
  }

  private endOne(client: ClientSocket, ending: LoggedEnding): void {
    this.leave(client);
    this.options.end(client, ending);
  }

  /** Sends one volatile frame to all members but one; those who catch up miss it, unless the room drops nothing. */
  deliverVolatile(frame: Buffer, except?: string): void {
    const frames = new SharedFrames({ room: this.options.name });
    frames.add(frame);
    const clients = this.options.dropsNothing ? this.members.keys() : this.listening();
    for (const client of clients) if (client.id !== except) client.queue?.push(frames);
  }

  /** Sends one frame in the room's order to some members, who have seen the room up to a position; without one it may be lost. */
  deliverTo(clients: Iterable<ClientSocket>, frame: Buffer, after?: Position): void {
    this.seal();
    const frames = new SharedFrames({ room: this.options.name, ...(after && { after }) });
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
    if (open?.turn === this.options.flusher.turn && open.plain.open && open.patched.open) return open;
    const origin = { room: this.options.name, after };
    const plain = new SharedFrames(origin);
    let patched = plain;
    for (const [client, { withPatch }] of this.members) {
      if (this.paused.size > 0 && this.paused.has(client)) continue;
      if (withPatch && patched === plain) patched = new SharedFrames(origin);
      client.queue?.push(withPatch ? patched : plain);
    }
    this.open = { turn: this.options.flusher.turn, plain, patched };
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
