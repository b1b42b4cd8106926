import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Optional } from '@nestjs/common';
import {
  GatewayError,
  isEngineError,
  membershipEnded,
  membershipForgotten,
  type RoomHold,
  type RoomStart,
  type RoomTypeDeclaration,
  RoomTypeRegistry,
  Slots,
  type StartRequest,
  toGatewayError,
} from '@wss/core';
import { settledWithin } from '@wss/protocol';
import { WebSocket } from 'ws';
import { CatchUp } from './catch-up.js';
import type { ClientSocket } from '../socket/client-socket.js';
import { declaredTypeOf } from './declared-type.js';
import { JoinGuards } from './join-guards.js';
import { MAX_ROOMS } from '../ports/limits.js';
import { Memberships } from './memberships.js';
import { ClientLimits, LaneNumbers, SessionSource } from '../ports/ports.js';
import { type Joining, JoinJudge } from './join-judge.js';
import { Removals } from './removals.js';
import { RoomDelivery } from './room-delivery.js';
import { Seats } from '../ports/seats.js';
import { encodeStart } from './room-frames.js';
import type { RoutedCommand } from '../commands/routed-command.js';

/**
 * Joins of one client that the engine is asked for at a time. All of those that it answers together are finished in one
 * turn of the event loop, and each is followed by more work: the room's channel, presence.
 */
const JOINS_AT_ONCE = 4;

/** How long a join waits for the engine, ms. */
const JOIN_TIMEOUT_MS = 2_000;

/** Mean time of a refusal of a join that can't be served, ms; it comes after half to one and a half of it. */
const REFUSE_AFTER_MS = 500;

/** Range of the waiting times that refused clients get, ms, so that they do not all retry at the same moment. */
const RETRY_MS = { least: 1_000, most: 3_000 };

/** How often a room may change its epoch while a client joins. */
const MAX_EPOCHS = 5;

/** How often memberships of a client may end in a room while it joins. */
const MAX_ENDINGS = 3;

/** Judges a start, in the order of the room; returns true if the client does not enter with it. */
type Stops = (start: RoomStart) => boolean;

/** A client's wish how to begin in a room, and its meta. */
export interface JoinRequest extends StartRequest {
  readonly meta?: object;
}

/** Everything that a client needs to enter a room. */
interface RoomEntrance {
  readonly hold: RoomHold;
  readonly start: RoomStart;
  /** Highest number of the session's commands here that survived. */
  readonly n?: number;
}

/** Joins and leaves of this node's clients. */
@Injectable()
export class RoomAccess {
  /** Of clients that have a join under way. */
  private readonly joining = new Map<ClientSocket, Slots>();

  constructor(
    private readonly delivery: RoomDelivery,
    private readonly types: RoomTypeRegistry,
    private readonly seats: Seats,
    private readonly guards: JoinGuards,
    private readonly numbers: LaneNumbers,
    private readonly memberships: Memberships,
    private readonly removals: Removals,
    private readonly sessions: SessionSource,
    private readonly catchUp: CatchUp,
    @Optional() private readonly limits?: ClientLimits,
  ) {}

  /**
   * Joins the command's room and answers the command in the room's order: the reply, the missed events, then the live
   * ones. The guard is asked, except for a member that joins again.
   * @throws GatewayError `invalid` for a bad name, `not_found` for an undeclared type, `limit` when it is in too many rooms,
   * `forbidden` by its guard and where its membership was ended, `unavailable`.
   */
  async join(command: RoutedCommand, request: JoinRequest): Promise<void> {
    const { client } = command;
    const room = command.room!;
    const type = declaredTypeOf(this.types, room);
    const state = client.roomState(room);
    if (state?.hold) return this.joinAgain(command, request);
    if (state?.joined) return this.goOn(command, request, type);
    this.requirePlace(client);
    client.places++;
    try {
      await this.comeIn(command, request, { type });
    } finally {
      // From here on the membership, if any, has a place of its own.
      client.places--;
    }
  }

  /** A member begins anew, e.g. where it has missed something. */
  private async joinAgain(command: RoutedCommand, request: JoinRequest): Promise<void> {
    const { client } = command;
    let ended = false;
    await this.enterInTime(command, request, () => {
      ended = !client.roomState(command.room!)?.hold;
      return ended;
    });
    if (ended) throw membershipEnded({ reason: '' });
  }

  /** A session comes back to a room; the guard may say otherwise by now. */
  private async goOn(command: RoutedCommand, request: JoinRequest, type: RoomTypeDeclaration): Promise<void> {
    const { client } = command;
    const room = command.room!;
    const memberSince = (): Promise<string> => this.sessions.memberSince(client.session!, room);
    try {
      await this.comeIn(command, request, { type, memberSince });
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'forbidden') this.leave(client, room);
      throw error;
    }
  }

  /**
   * Asks the guard and lets the client enter, unless its membership was ended. The guard's answer from before an ending
   * does not count after it.
   */
  private async comeIn(command: RoutedCommand, request: JoinRequest, joining: Joining): Promise<void> {
    const { client } = command;
    const room = command.room!;
    const judge = new JoinJudge({ user: client.user, session: client.session?.id }, request.from, joining);
    for (let attempt = 0; attempt < MAX_ENDINGS; attempt++) {
      await this.askGuard(command, joining.type);
      await this.enterInTime(command, request, (start) => judge.stops(start));
      if (judge.ended) throw this.removals.refuse(client, room, judge.ended);
      if (judge.isForgotten) throw membershipForgotten();
      if (!judge.isOpen) return;
      await judge.prepare();
    }
    throw new GatewayError('unavailable', `memberships of room ${room} ended ${MAX_ENDINGS} times`);
  }

  private async enterInTime(command: RoutedCommand, request: JoinRequest, stops: Stops): Promise<void> {
    const beganAt = performance.now();
    try {
      await this.inItsTurn(command.client, () => {
        if (performance.now() - beganAt >= JOIN_TIMEOUT_MS) throw noStart();
        return this.serve(command, request, stops);
      });
    } catch (error) {
      // As `internal` the router logs it, and Nest does not.
      if (!isEngineError(error)) throw toGatewayError(error);
      await refusalIsDue(beganAt);
      throw outOfReach(error);
    }
  }

  private async inItsTurn(client: ClientSocket, serve: () => Promise<void>): Promise<void> {
    const slots = this.joining.get(client) ?? new Slots(JOINS_AT_ONCE);
    this.joining.set(client, slots);
    try {
      await slots.run(async () => serve());
    } finally {
      if (slots.isFree) this.joining.delete(client);
    }
  }

  private requirePlace({ places }: ClientSocket): void {
    const { maxRooms } = this.limits ?? { maxRooms: MAX_ROOMS };
    if (places >= maxRooms)
      throw new GatewayError('limit', `at most ${maxRooms} rooms at a time: leave one first`);
  }

  private async serve(command: RoutedCommand, request: JoinRequest, stops: Stops): Promise<void> {
    const room = command.room!;
    const { client } = command;
    const hold = await this.seats.hold(room, client.roomState(room)?.joined === true);
    try {
      if (client.session?.hasLane(room)) await this.joinWithNumber(command, request, { hold, stops });
      else
        await begin(hold, request, (start) => {
          if (!stops(start)) this.enter(command, request, { hold, start });
        });
    } finally {
      // Unless the client has entered with the hold, it is not needed any more, even if the start is still to come.
      if (client.roomState(room)?.hold !== hold) hold.release();
    }
  }

  /**
   * Joins with the surviving number, which must belong to the epoch of the reply: a number from before a failover
   * would hide what the failover lost.
   */
  private async joinWithNumber(
    command: RoutedCommand,
    request: JoinRequest,
    { hold, stops }: { readonly hold: RoomHold; readonly stops: Stops },
  ): Promise<void> {
    const room = command.room!;
    for (let attempt = 0; attempt < MAX_EPOCHS; attempt++) {
      const { n = 0, epoch } = await this.numbers.numberIn(room, command.client.session!.id);
      let isDone = false;
      await begin(hold, request, (start) => {
        isDone = start.position.epoch === epoch;
        if (isDone && !stops(start)) this.enter(command, request, { hold, start, n });
      });
      if (isDone) return;
    }
    throw new GatewayError('unavailable', `room ${room} changed its epoch ${MAX_EPOCHS} times`);
  }

  /** Leaves a room; has no effect in a room that was not joined. */
  leave(client: ClientSocket, room: string): void {
    this.removals.stopSending(client, room);
    this.memberships.left(client, room);
  }

  /** The client's connection has gone; it stays a member, for when its session is resumed. */
  unfollow(client: ClientSocket, room: string): void {
    this.removals.stopSending(client, room);
    this.memberships.cutOff(client, room);
  }

  /** The client was put out: its user leaves without a grace. */
  end(client: ClientSocket, room: string): void {
    this.removals.stopSending(client, room);
    this.memberships.ended(client, room);
  }

  private async askGuard(command: RoutedCommand, type: RoomTypeDeclaration): Promise<void> {
    if (type.join && !(await this.guards.allows(type.join, command))) {
      throw new GatewayError('forbidden', 'you may not join this room; its guard refused you');
    }
  }

  private enter(command: RoutedCommand, request: JoinRequest, { hold, start, n }: RoomEntrance): void {
    const room = command.room!;
    const { client } = command;
    // A client that has gone, or got an error, does not enter.
    if (command.answered || client.readyState !== WebSocket.OPEN) return;
    const state = client.roomState(room)!;
    this.memberships.joined(client, room, {
      meta: request.meta,
      ...(start.gate && { since: start.position }),
    });
    state.hold?.release();
    state.hold = hold;
    client.queue?.keep(room);
    state.place = this.delivery.join(room, client, { withPatch: request.documents }, start.position);
    command.answerInOrder(encodeStart(start, n));
    this.catchUp.replay(client, room, start);
  }
}

/**
 * Begins within a time limit. A start that comes too late finds the hold released, and nothing is read for it any
 * more.
 */
async function begin(
  hold: RoomHold,
  request: StartRequest,
  complete: (start: RoomStart) => void,
): Promise<void> {
  const late = new AbortController();
  const begun = hold.begin({ ...request, signal: late.signal }, complete);
  if (await settledWithin(begun, JOIN_TIMEOUT_MS)) return;
  const reason = noStart();
  late.abort(reason);
  throw reason;
}

function noStart(): GatewayError {
  return new GatewayError('unavailable', `no start within ${JOIN_TIMEOUT_MS} ms`);
}

function outOfReach(cause: unknown): GatewayError {
  const { least, most } = RETRY_MS;
  const retryInMs = Math.round(least + Math.random() * (most - least));
  // The engine may have given its reason itself; then the wrapped error has it.
  const { reason = "the room can't be read now" } = ((cause as Error).cause ?? cause) as {
    reason?: string;
  };
  return new GatewayError('unavailable', reason, { cause, details: [{ retryInMs }] });
}

/** Resolves when a join that began at this time may be refused. */
async function refusalIsDue(beganAt: number): Promise<void> {
  const dueAt = beganAt + REFUSE_AFTER_MS * (0.5 + Math.random());
  await delay(Math.max(0, dueAt - performance.now()));
}
