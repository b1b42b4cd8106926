import { Injectable } from '@nestjs/common';
import {
  type ClientSession,
  ENDED_GENERATION,
  type Standing,
  type StandingVerdict,
  verdictOn,
} from '@wss/core';
import { type CloseCode, encodeEventJson } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import type { HeldFrames } from '../socket/outbound-queue.js';
import { SharedFrames } from '../socket/shared-frames.js';
import { textFrame } from '../socket/text-frame.js';

/** How long a client that is put out has to answer the close frame, ms. */
const ANSWER_MS = 1_000;

const CODES: Readonly<Record<StandingVerdict, CloseCode>> = {
  revoked: 4501,
  disconnected: 4402,
  elsewhere: 4503,
};

/** Knows this node's clients by their ids, users and sessions, and sends them events outside of rooms. */
@Injectable()
export class Hub {
  private readonly clients = new Map<string, ClientSocket>();
  private readonly byUser = new Map<string, Set<ClientSocket>>();
  private readonly bySession = new Map<string, ClientSocket>();
  /** Users whose clients' frames wait until their standing is known again. */
  private readonly held = new Map<string, HeldFrames>();

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

  add(client: ClientSocket): void {
    this.clients.set(client.id, client);
    if (client.session) this.addSession(client);
    const held = this.held.get(client.user);
    if (held) client.queue?.hold(held);
    const set = this.byUser.get(client.user);
    if (set) set.add(client);
    else this.byUser.set(client.user, new Set([client]));
  }

  remove(client: ClientSocket): void {
    this.clients.delete(client.id);
    const session = client.session?.id;
    if (session !== undefined && this.bySession.get(session) === client) this.bySession.delete(session);
    const set = this.byUser.get(client.user);
    set?.delete(client);
    if (set?.size === 0) this.byUser.delete(client.user);
  }

  private addSession(client: ClientSocket): void {
    const { id, generation } = client.session!;
    this.sessionTakenOver(id, generation);
    const other = this.bySession.get(id);
    if (other && other.session!.generation > generation) client.closeWith(4500);
    else this.bySession.set(id, client);
  }

  /** Closes an older connection of a session that another one goes on with, or that was ended for good. */
  sessionTakenOver(session: string, generation: number): void {
    const client = this.bySession.get(session);
    if (!client || client.session!.generation >= generation) return;
    if (generation === ENDED_GENERATION) putOut(client, CODES.revoked);
    else client.closeWith(4500);
  }

  /** Puts out the clients of a user that the user's standing does not let go on; nothing that waits is sent to them. */
  judge(user: string, standing: Standing): void {
    for (const client of this.byUser.get(user) ?? []) {
      const verdict = verdictOn(client, standing);
      if (verdict) putOut(client, CODES[verdict]);
    }
  }

  /**
   * Lets frames wait for a user's clients, those that are still to come among them, until {@link release}. Frames that
   * wait already go on waiting.
   */
  hold(user: string, what: HeldFrames): void {
    const held = this.held.get(user) === 'all' ? 'all' : what;
    this.held.set(user, held);
    for (const client of this.byUser.get(user) ?? []) client.queue?.hold(held);
  }

  /** Ends {@link hold}. */
  release(user: string): void {
    if (!this.held.delete(user)) return;
    for (const client of this.byUser.get(user) ?? []) client.queue?.release();
  }

  /** The highest generation of a user's clients here; 0 without any. */
  newestOf(user: string): number {
    let newest = 0;
    for (const { generation } of this.byUser.get(user) ?? []) newest = Math.max(newest, generation);
    return newest;
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

/** Closes a client that must get nothing more and do nothing more. */
function putOut(client: ClientSocket, code: CloseCode): void {
  if (!client.queue) return;
  client.queue.clear();
  client.dropFrames();
  client.closeWith(code);
  setTimeout(() => client.terminate(), ANSWER_MS).unref();
}
