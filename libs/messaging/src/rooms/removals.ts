import { Injectable, Optional } from '@nestjs/common';
import { type GatewayError, type LoggedEnding, membershipEnded } from '@wss/core';
import { MessagingObserver } from '../ports/messaging-observer.js';
import type { ClientSocket } from '../socket/client-socket.js';
import { textFrame } from '../socket/text-frame.js';
import { Memberships } from './memberships.js';
import { RoomDelivery } from './room-delivery.js';
import { encodeDeletion, encodeRemoved } from './room-frames.js';

/** Ends memberships: of clients that leave, that are cut off, and that are removed (R38). */
@Injectable()
export class Removals {
  constructor(
    private readonly delivery: RoomDelivery,
    private readonly memberships: Memberships,
    @Optional() private readonly observer?: MessagingObserver,
  ) {
    delivery.onEnded((room, client, ending) => this.remove(client, room, ending));
  }

  /** Stops sending a room's events to a client. */
  stopSending(client: ClientSocket, room: string): void {
    const state = client.roomState(room);
    if (!state?.hold) return;
    this.delivery.leave(room, client);
    state.hold.release();
    delete state.hold;
    delete state.place;
  }

  /** Ends a membership and tells the client, in the order of the room: nothing of it is sent afterwards. */
  remove(client: ClientSocket, room: string, ending: LoggedEnding): void {
    this.stopSending(client, room);
    const state = client.roomState(room);
    if (state) state.ended = ending;
    if (ending.deleted) client.queue?.push(textFrame(encodeDeletion(room, ending)));
    client.queue?.push(textFrame(encodeRemoved(room, ending)));
    this.memberships.left(client, room);
    this.observer?.memberRemoved?.();
  }

  /** Like {@link remove}, for a client that wants to go on in a room; returns the error for its join. */
  refuse(client: ClientSocket, room: string, ending: LoggedEnding): GatewayError {
    this.remove(client, room, ending);
    return membershipEnded(ending);
  }
}
