import { Injectable } from '@nestjs/common';
import type { Position } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { PresenceSource, SessionSource } from '../ports/ports.js';

/** Tells sessions and presence which clients are in which rooms. */
@Injectable()
export class Memberships {
  constructor(
    private readonly sessions: SessionSource,
    private readonly presence: PresenceSource,
  ) {}

  /**
   * The client takes part in a room from now on; it may have been a member before.
   * @param since present in a room whose log has ended memberships: the position from which on this one holds
   */
  joined(
    client: ClientSocket,
    room: string,
    { meta, since }: { readonly meta?: object | undefined; readonly since?: Position },
  ): void {
    const isNew = !client.roomState(room)?.joined;
    if (isNew) {
      client.useRoom(room).joined = true;
      client.places++;
    }
    delete client.roomState(room)!.ended;
    if (client.session && (isNew || since)) this.sessions.joined(client.session, room, since);
    this.presence.entered(room, client, meta);
  }

  /** The client left a room by its own will, or was removed. */
  left(client: ClientSocket, room: string): void {
    const state = client.roomState(room);
    if (!state?.joined) return;
    state.joined = false;
    client.places--;
    client.freeRoom(room);
    if (client.session) this.sessions.left(client.session, room);
    this.presence.left(room, client.id);
  }

  /** The client was put out, for good or not: nobody waits for it. */
  ended(client: ClientSocket, room: string): void {
    this.presence.left(room, client.id);
  }

  /** The client's connection has gone; it stays a member, for when its session is resumed. */
  cutOff(client: ClientSocket, room: string): void {
    this.presence.cutOff(room, client.id);
  }
}
