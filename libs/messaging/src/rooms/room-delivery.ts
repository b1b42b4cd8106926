import { Injectable, Optional } from '@nestjs/common';
import { gatePosition, type HistoryReset, type LoggedEnding, RoomTypeRegistry } from '@wss/core';
import { encodeEventJson, type LogEntry, type Position } from '@wss/protocol';
import { MessagingObserver } from '../ports/messaging-observer.js';
import type { ClientSocket } from '../socket/client-socket.js';
import { Flusher } from '../socket/flusher.js';
import type { RoomPlace } from '../socket/room-state.js';
import { textFrame } from '../socket/text-frame.js';
import { encodeDurable, encodeEpoch, encodeReset } from './room-frames.js';
import { type EndMembership, type Lag, type Membership, RoomMembers } from './room-members.js';
import { SurvivingNumbers, withLane } from './surviving-numbers.js';

/** Takes the events of rooms to their members on this node; the feed of the rooms calls it. */
@Injectable()
export class RoomDelivery {
  private readonly rooms = new Map<string, RoomMembers>();
  private endMembership?: (room: string, client: ClientSocket, ending: LoggedEnding) => void;

  constructor(
    private readonly flusher: Flusher,
    private readonly types: RoomTypeRegistry,
    private readonly numbers: SurvivingNumbers,
    @Optional() private readonly observer?: MessagingObserver,
  ) {}

  /** Calls back with each membership that the room's log ends, before anything that follows is sent (R38). */
  onEnded(callback: (room: string, client: ClientSocket, ending: LoggedEnding) => void): void {
    this.endMembership = callback;
  }

  /** @param position the room's position, from which on its events are delivered */
  join(room: string, client: ClientSocket, membership: Membership, position: Position): RoomPlace {
    let members = this.rooms.get(room);
    if (!members) {
      const dropsNothing = this.types.of(room)?.backPressure === 'close';
      const { flusher } = this;
      const end: EndMembership = (member, ending) => this.endMembership?.(room, member, ending);
      members = new RoomMembers({ name: room, flusher, dropsNothing, end }, position);
      this.rooms.set(room, members);
    }
    members.join(client, membership);
    return members.place;
  }

  leave(room: string, client: ClientSocket): void {
    const members = this.rooms.get(room);
    members?.leave(client);
    if (members?.size === 0) this.rooms.delete(room);
  }

  /** Number of this node's clients in a room. */
  membersOf(room: string): number {
    return this.rooms.get(room)?.size ?? 0;
  }

  /** Returns how a client watches a room, if it does. */
  membership(room: string, client: ClientSocket): Membership | undefined {
    return this.rooms.get(room)?.members.get(client);
  }

  /**
   * Stops sending a room's events to a member, which has to catch up from a position, or goes back to an earlier one.
   * @returns true if the client is a member
   */
  pause(room: string, client: ClientSocket, from: Position): boolean {
    return this.rooms.get(room)?.pause(client, from) ?? false;
  }

  /** Sends a room's events to a member again; it has seen everything up to now. */
  resume(room: string, client: ClientSocket): void {
    this.rooms.get(room)?.resume(client);
  }

  /** Returns the position from which a member has to catch up, if it is paused. */
  lagOf(room: string, client: ClientSocket): Lag | undefined {
    return this.rooms.get(room)?.paused.get(client);
  }

  /** Sends log entries of a room to its members here, in this order; the first follows what they have seen in this epoch. */
  deliver(room: string, epoch: string, entries: readonly LogEntry[]): void {
    const members = this.rooms.get(room);
    if (!members) return;
    if (this.observer) {
      const events = entries.reduce((sum, entry) => sum + entry.events.length, 0);
      this.observer.delivered('log', events * members.size);
    }
    members.deliver(epoch, entries);
  }

  /** Ends memberships that ended while the log did not reach this node. */
  ended(room: string, endings: readonly LoggedEnding[]): void {
    for (const ending of endings) this.rooms.get(room)?.end(ending);
  }

  /** Sends a volatile event to a room's members here; its parts are JSON. */
  deliverVolatile(room: string, event: string, data: string, except?: string): void {
    const members = this.rooms.get(room);
    if (!members) return;
    this.observer?.delivered('volatile', members.size);
    members.deliverVolatile(textFrame(encodeEventJson(event, data, room)), except);
  }

  /** Tells members which users came to a room and which left; a member that misses it notices by the version. */
  deliverPresence(room: string, delta: string): void {
    this.rooms.get(room)?.deliverVolatile(textFrame(encodeEventJson('"$presence"', delta, room)));
  }

  /** Sends members whose position can't be continued the present state, and how far their commands survived. */
  async reset(room: string, before: Position, reset: HistoryReset): Promise<void> {
    this.observer?.historyChanged('reset');
    // Their sessions come back, and are judged as they join.
    const unknown = this.rooms.get(room)?.catchUpEndings(reset, gatePosition(before)) ?? [];
    for (const client of unknown) client.closeWith(1013);
    await this.tell(room, before, (n) => encodeReset(room, reset, n));
  }

  /** Tells members of a new epoch after this position; sessions learn how far their commands survived (R15). */
  async epochChanged(room: string, before: Position, position: Position): Promise<void> {
    this.observer?.historyChanged('continued');
    await this.tell(room, before, (n) => encodeEpoch(room, position, n));
  }

  /**
   * Closes the members, because a bug keeps them from learning the room's position: they come again, and go on from
   * theirs.
   */
  letGo(room: string): void {
    for (const client of this.listening(room)) client.closeWith(1011);
  }

  /** Tells sessions with numbered commands in the room that they need not keep those up to here (R15). */
  durable(room: string, position: Position): void {
    const clients = withLane(room, this.listening(room));
    if (clients.length === 0) return;
    // Members may have seen more than that, so the frame says nothing about their position.
    this.rooms.get(room)?.deliverTo(clients, textFrame(encodeDurable(room, position)));
  }

  /** Sends one text to all members, and one of its own to each session with numbered commands in the room. */
  private async tell(room: string, before: Position, encode: (n?: number) => string): Promise<void> {
    const numbers = await this.numbers.of(room, () => this.listening(room));
    const members = this.rooms.get(room);
    const listening = this.listening(room);
    const others = listening.filter((client) => !numbers.has(client));
    members?.deliverTo(others, textFrame(encode()), before);
    for (const client of listening) {
      const n = numbers.get(client);
      if (n !== undefined) members?.deliverTo([client], textFrame(encode(n)), before);
    }
  }

  /** Members of a room here that get live events. */
  private listening(room: string): ClientSocket[] {
    return this.rooms.get(room)?.listening() ?? [];
  }
}
