import { Injectable } from '@nestjs/common';
import type { ClientSession } from '@wss/core';
import { encodeEventJson } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { SharedFrames } from '../socket/shared-frames.js';
import { textFrame } from '../socket/text-frame.js';

/** Knows this node's clients by their ids, users and sessions, and sends them events outside of rooms. */
@Injectable()
export class Hub {
  private readonly clients = new Map<string, ClientSocket>();
  private readonly byUser = new Map<string, Set<ClientSocket>>();
  private readonly bySession = new Map<string, ClientSocket>();

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

  /** @returns true if this is the user's first client on this node */
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

  /** @returns true if it was the user's last client on this node */
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
    this.sessionTakenOver(id, generation);
    const other = this.bySession.get(id);
    if (other && other.session!.generation > generation) client.closeWith(4500);
    else this.bySession.set(id, client);
  }

  /** Closes an older connection of a session that another one goes on with. */
  sessionTakenOver(session: string, generation: number): void {
    const client = this.bySession.get(session);
    if (client && client.session!.generation < generation) client.closeWith(4500);
  }

  /** The sessions of a user that have a connection here. */
  sessionsOf(user: string): ClientSession[] {
    return [...(this.byUser.get(user) ?? [])].flatMap(({ session }) => session ?? []);
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
