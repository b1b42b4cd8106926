import { Injectable } from '@nestjs/common';
import type { ClientSession } from '@wss/core';
import { encodeEventJson, type LogEntry, type Position } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { entryFrames } from '../socket/entry-frames.js';
import { Flusher } from '../socket/flusher.js';
import { Lag } from './lag.js';
import { SharedFrames } from '../socket/shared-frames.js';
import { textFrame } from '../socket/text-frame.js';

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

/** One room's members on this node. */
class HubRoom {
  readonly members = new Map<ClientSocket, Membership>();
  /** Members that get nothing until they have caught up. */
  readonly paused = new Map<ClientSocket, Lag>();
  private open?: OpenFrames;

  constructor(
    private readonly name: string,
    private readonly flusher: Flusher,
  ) {}

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

  /** Sends one frame that may be lost to all members but one. */
  deliverVolatile(frame: Buffer, except: string | undefined): void {
    const frames = new SharedFrames({ room: this.name });
    frames.add(frame);
    for (const client of this.listening()) if (client.id !== except) client.queue?.push(frames);
  }

  /** Sends one frame in the room's order to some members, who have seen the room up to a position; without one it may be lost. */
  deliverTo(clients: Iterable<ClientSocket>, frame: Buffer, after?: Position): void {
    this.seal();
    const frames = new SharedFrames({ room: this.name, ...(after && { after }) });
    frames.add(frame);
    for (const client of clients) if (!this.paused.has(client)) client.queue?.push(frames);
  }

  /** Members that get what happens. */
  listening(): ClientSocket[] {
    const members = [...this.members.keys()];
    return this.paused.size === 0 ? members : members.filter((client) => !this.paused.has(client));
  }

  /** The frames of this turn; queued at every member the first time, merely extended after that. */
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

/** This node's clients and the rooms they are in. It knows nothing of other nodes. */
@Injectable()
export class Hub {
  private readonly clients = new Map<string, ClientSocket>();
  private readonly byUser = new Map<string, Set<ClientSocket>>();
  private readonly bySession = new Map<string, ClientSocket>();
  private readonly rooms = new Map<string, HubRoom>();

  constructor(private readonly flusher: Flusher) {}

  /** All clients of this node. */
  all(): IterableIterator<ClientSocket> {
    return this.clients.values();
  }

  /** Number of clients on this node. */
  get size(): number {
    return this.clients.size;
  }

  get(clientId: string): ClientSocket | undefined {
    return this.clients.get(clientId);
  }

  /** @returns whether this is the user's first client on this node */
  add(client: ClientSocket): boolean {
    this.clients.set(client.id, client);
    if (client.session) this.addSession(client);
    const set = this.byUser.get(client.user);
    if (set) {
      set.add(client);
      return false;
    }
    this.byUser.set(client.user, new Set([client]));
    return true;
  }

  /** @returns whether it was the user's last client on this node */
  remove(client: ClientSocket): boolean {
    this.clients.delete(client.id);
    const session = client.session?.id;
    if (session !== undefined && this.bySession.get(session) === client) this.bySession.delete(session);
    const set = this.byUser.get(client.user);
    set?.delete(client);
    if (set?.size !== 0) return false;
    this.byUser.delete(client.user);
    return true;
  }

  private addSession(client: ClientSocket): void {
    const { id, generation } = client.session!;
    this.closeOlder(id, generation);
    const other = this.bySession.get(id);
    if (other && other.session!.generation > generation) client.closeWith(4500);
    else this.bySession.set(id, client);
  }

  /** Closes the connection of a session that a newer one has taken over. */
  closeOlder(session: string, generation: number): void {
    const client = this.bySession.get(session);
    if (client && client.session!.generation < generation) client.closeWith(4500);
  }

  /** The sessions of a user that have a connection here. */
  sessionsOf(user: string): ClientSession[] {
    return [...(this.byUser.get(user) ?? [])].flatMap(({ session }) => session ?? []);
  }

  join(room: string, client: ClientSocket, membership: Membership): void {
    let hubRoom = this.rooms.get(room);
    if (!hubRoom) this.rooms.set(room, (hubRoom = new HubRoom(room, this.flusher)));
    hubRoom.join(client, membership);
  }

  leave(room: string, client: ClientSocket): void {
    const hubRoom = this.rooms.get(room);
    hubRoom?.leave(client);
    if (hubRoom?.members.size === 0) this.rooms.delete(room);
  }

  /** Number of this node's clients in a room. */
  membersOf(room: string): number {
    return this.rooms.get(room)?.members.size ?? 0;
  }

  /**
   * Stops sending a room's events to a member, which has to catch up from a position, or goes back to an earlier one.
   * @returns whether the client is a member
   */
  pause(room: string, client: ClientSocket, from: Position): boolean {
    return this.rooms.get(room)?.pause(client, from) ?? false;
  }

  /** Sends a room's events to a member again; it has seen everything up to now. */
  resume(room: string, client: ClientSocket): void {
    this.rooms.get(room)?.resume(client);
  }

  /** Where a member has to catch up from, if it is paused. */
  lagOf(room: string, client: ClientSocket): Lag | undefined {
    return this.rooms.get(room)?.paused.get(client);
  }

  /** Sends log entries of a room to its members here, in this order; the first follows what they have seen in this epoch. */
  deliver(room: string, epoch: string, entries: readonly LogEntry[]): void {
    this.rooms.get(room)?.deliver(epoch, entries);
  }

  /** Sends a volatile event to a room's members here; its parts are JSON. */
  deliverVolatile(room: string, event: string, data: string, except?: string): void {
    this.rooms.get(room)?.deliverVolatile(textFrame(encodeEventJson(event, data, room)), except);
  }

  /** How a client watches a room, if it does. */
  membership(room: string, client: ClientSocket): Membership | undefined {
    return this.rooms.get(room)?.members.get(client);
  }

  /** Members of a room here that get what happens. */
  members(room: string): ClientSocket[] {
    return this.rooms.get(room)?.listening() ?? [];
  }

  /**
   * Sends text in the room's order to some of its members.
   * @param after what they have seen of the room; absent: the text may be lost
   */
  deliverTo(room: string, clients: Iterable<ClientSocket>, text: string, after?: Position): void {
    this.rooms.get(room)?.deliverTo(clients, textFrame(text), after);
  }

  /** Sends an event to this user's clients here; its parts are JSON. */
  deliverToUser(user: string, event: string, data: string): void {
    this.send(this.byUser.get(user) ?? [], event, data);
  }

  /** Sends an event to one client, if it is here. */
  deliverToClient(clientId: string, event: string, data: string): void {
    const client = this.clients.get(clientId);
    if (client) this.send([client], event, data);
  }

  /** Sends an event to every client of this node. */
  deliverToAll(event: string, data: string): void {
    this.send(this.clients.values(), event, data);
  }

  private send(clients: Iterable<ClientSocket>, event: string, data: string): void {
    const frames = new SharedFrames();
    frames.add(textFrame(encodeEventJson(event, data)));
    for (const client of clients) client.queue?.push(frames);
  }
}
