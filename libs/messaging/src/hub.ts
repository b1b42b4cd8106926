import { Injectable } from '@nestjs/common';
import { encodeEventJson, type LogEntry } from '@wss/protocol';
import type { ClientSocket } from './client-socket.js';
import { entryFrames } from './entry-frames.js';
import { Flusher } from './flusher.js';
import { SharedFrames } from './shared-frames.js';
import { textFrame } from './text-frame.js';

/** How a client watches a room. */
export interface Membership {
  /** Whether it keeps a live copy, so that its frames carry patches. */
  readonly withPatch: boolean;
}

/** What is on its way to a room's members in this turn. */
interface OpenFrames {
  /** The turn of the event loop that they belong to. */
  readonly turn: number;
  readonly plain: SharedFrames;
  readonly patched: SharedFrames;
}

/** One room's members on this node. */
class HubRoom {
  readonly members = new Map<ClientSocket, Membership>();
  private open?: OpenFrames;

  constructor(
    private readonly name: string,
    private readonly flusher: Flusher,
  ) {}

  join(client: ClientSocket, membership: Membership): void {
    this.seal();
    this.members.set(client, membership);
  }

  leave(client: ClientSocket): boolean {
    this.seal();
    return this.members.delete(client);
  }

  /** Sends log entries to all members; every frame is built once. */
  deliver(entries: readonly LogEntry[]): void {
    const { plain, patched } = this.current();
    for (const entry of entries) {
      const frames = entryFrames(this.name, entry);
      for (const frame of frames.plain) plain.add(frame);
      if (plain !== patched) for (const frame of frames.patched()) patched.add(frame);
    }
  }

  /** Sends one frame to all members but one. */
  deliverFrame(frame: Buffer, except: string | undefined): void {
    if (except === undefined) {
      const { plain, patched } = this.current();
      plain.add(frame);
      if (patched !== plain) patched.add(frame);
      return;
    }
    this.seal();
    const frames = new SharedFrames();
    frames.add(frame);
    for (const client of this.members.keys()) if (client.id !== except) client.queue?.push(frames);
  }

  /** The frames of this turn; queued at every member the first time, merely extended after that. */
  private current(): OpenFrames {
    if (this.open?.turn === this.flusher.turn && this.open.plain.open) return this.open;
    const plain = new SharedFrames();
    const patched = [...this.members.values()].some(({ withPatch }) => withPatch)
      ? new SharedFrames()
      : plain;
    for (const [client, { withPatch }] of this.members) client.queue?.push(withPatch ? patched : plain);
    this.open = { turn: this.flusher.turn, plain, patched };
    return this.open;
  }

  /** Who joins or leaves within a turn must get, or still has to get, exactly what was sent before. */
  private seal(): void {
    delete this.open;
  }
}

/** This node's clients and the rooms they are in. It knows nothing of other nodes. */
@Injectable()
export class Hub {
  private readonly clients = new Map<string, ClientSocket>();
  private readonly byUser = new Map<string, Set<ClientSocket>>();
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
    const set = this.byUser.get(client.user);
    set?.delete(client);
    if (set?.size !== 0) return false;
    this.byUser.delete(client.user);
    return true;
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

  /** Sends log entries of a room to its members here, in this order. */
  deliver(room: string, entries: readonly LogEntry[]): void {
    this.rooms.get(room)?.deliver(entries);
  }

  /** Sends a volatile event to a room's members here; its parts are JSON. */
  deliverVolatile(room: string, event: string, data: string, except?: string): void {
    const hubRoom = this.rooms.get(room);
    hubRoom?.deliverFrame(textFrame(encodeEventJson(event, data, room)), except);
  }

  /** Clients here that are in a room. */
  members(room: string): ClientSocket[] {
    return [...(this.rooms.get(room)?.members.keys() ?? [])];
  }

  /** Sends a frame to some members of a room, in the room's order. */
  deliverTo(clients: Iterable<ClientSocket>, text: string): void {
    const frames = new SharedFrames();
    frames.add(textFrame(text));
    for (const client of clients) client.queue?.push(frames);
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
