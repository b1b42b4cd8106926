import type { IncomingMessage } from 'node:http';
import type { CanActivate, Type } from '@nestjs/common';
import type {
  ClientSession,
  OpenedSession,
  PresencePage,
  PresenceRange,
  RoomHold,
  RoomStart,
  Standing,
  StartRequest,
} from '@wss/core';
import type { Position } from '@wss/protocol';

/**
 * Source of the events of rooms. The application provides it; this library does not know the engine.
 *
 * While a room is followed, its events reach {@link RoomDelivery.deliver} in order, each once, without a gap.
 */
export abstract class RoomSource {
  /** Follows a room until the hold is released, whatever becomes of its purpose. */
  abstract hold(room: string): RoomHold;

  /** Like {@link RoomHold.begin}, for a client that is in the room already. */
  abstract begin(room: string, request: StartRequest, complete: (start: RoomStart) => void): Promise<void>;
}

/**
 * Keeps and announces the users in rooms, over all nodes. The application provides it. Rooms of a kind without
 * presence are ignored.
 */
export abstract class PresenceSource {
  /** A client takes part in a room from now on; repeating it changes nothing. */
  abstract entered(room: string, client: { readonly id: string; readonly user: string }, meta?: object): void;

  /** A client left a room on purpose. */
  abstract left(room: string, clientId: string): void;

  /** A client's connection has gone; its user may be back in a moment. */
  abstract cutOff(room: string, clientId: string): void;

  /** @throws GatewayError `unavailable` */
  abstract page(room: string, range: PresenceRange): Promise<PresencePage>;
}

/** The engine's records of sessions' numbered commands. */
export abstract class LaneNumbers {
  /** The highest number that each session's record in the room holds; undefined without a record. */
  abstract numbersOf(room: string, sessions: readonly string[]): Promise<(number | undefined)[]>;

  /**
   * The highest number that a session's record in the room holds, and the room's epoch at the same moment.
   * @throws GatewayError `unavailable` when the engine is out of reach
   */
  abstract numberIn(room: string, session: string): Promise<{ readonly n?: number; readonly epoch: string }>;
}

/** Hears of clients that come and go, so that messages to users can be routed. */
export abstract class ClientListener {
  /** The first connection of this user on this node is being admitted; resolves when messages to the user are heard. */
  abstract userCame(user: string): Promise<void> | void;
  /** A client of this user on this node was admitted; what was told of the user meanwhile concerns it, too. */
  abstract clientCame(user: string): void;
  /** The last connection of this user on this node has gone. */
  abstract userLeft(user: string): void;
  /** Called when a session goes on here; older connections of it, on any node, must end. */
  abstract sessionResumed(session: ClientSession): void;
}

/** A connection's identity. */
export interface Admitted {
  /** Name of the user, 1 to 128 characters without control characters. */
  readonly user: string;
  /** When the identity ends unless it is refreshed, ms since 1970; absent: never. */
  readonly expiresAt?: number;
  /**
   * When the identity was proven, ms since 1970, such as `iat` of a token; `now`: by this very request, on the engine's
   * clock. Once the user was revoked, identities from before that are refused, and so are those without it and those of
   * the future. Absent: unknown.
   */
  readonly issuedAt?: number | 'now';
  /**
   * Further facts about the user, which handlers and guards see as `command.client.claims`. They are shared by all of
   * the client's messages, so an application's own are copied and frozen to the depth. Default none. A refreshed identity replaces them.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Decides who may connect, before a WebSocket exists. */
export abstract class Admission {
  /**
   * Returns the identity of the client that asks.
   * @throws UpgradeRefusal; in a class of `auth: { use }` an `HttpException` of Nest refuses, too. Any other error is
   * logged and answered 503, so the client tries again.
   */
  abstract admit(request: IncomingMessage, url: URL): Promise<Admitted> | Admitted;

  /**
   * Renews the identity of a connected client by a newer token (`$auth`). Unless it is implemented, every token is
   * refused.
   * @throws UpgradeRefusal when the token is refused or another user's
   */
  refresh(_token: string, _user: string): Promise<Admitted> | Admitted {
    throw new UpgradeRefusal(401, 'tokens are not renewed here; connect again');
  }
}

/** An identity as the engine knows it. */
export interface KnownIdentity {
  readonly standing: Standing;
  /** When it was issued, ms since 1970 by the engine's clock; absent: unknown. */
  readonly issuedAt?: number;
}

/** Knows who was revoked or disconnected. An application without one puts nobody out. */
export abstract class RevocationSource {
  /**
   * True if a client without a session may come while the engine can't be asked: it is judged as soon as that can be
   * asked, and gets nothing of rooms before.
   */
  abstract readonly canJudgeLater: boolean;

  /**
   * Asked at each upgrade, when the identity is known and before its session is opened, and at each `$auth`.
   * @throws UpgradeRefusal when the identity is revoked, or may be; any other error is logged and answered 503
   */
  abstract check(admitted: Admitted): Promise<KnownIdentity>;

  /**
   * Asked instead while the engine can't be.
   * @returns when the identity was issued, as far as the engine's clock is known here
   * @throws UpgradeRefusal when it is too old
   */
  abstract issuedAt(admitted: Admitted): number | undefined;

  /**
   * Called when a connection of this user begins, at the end of its admission: the older ones end if a user may have
   * only one.
   * @returns its generation
   * @throws Error when the engine is out of reach
   */
  abstract enter(user: string, standing: Standing): Promise<number>;
}

/** Further parts of a refusal. */
export interface RefusalDetails {
  /** Additional lines of the response's head. Default none. */
  readonly headers?: readonly string[];
  /**
   * Text for the node's log in place of the message: the check that failed, and the remedy. Nothing in it may come from
   * the client unless it is bounded and harmless. `''`: nothing is logged.
   */
  readonly log?: string;
  /** Refusals of one kind share a line of the log a minute; few values, none from the client. Default: the message. */
  readonly kind?: string;
  /** The check that failed, a label of metrics; few values, none from the client. Default `other`. */
  readonly check?: string;
  /** How long to wait before the next attempt, s; for refusals with 429 and 503. Default 1. */
  readonly retryAfterS?: number;
}

/** Refuses an upgrade with a complete HTTP response. */
export class UpgradeRefusal extends Error {
  /** Additional lines of the response's head. */
  readonly headers: readonly string[];
  /** Text for the node's log; absent: the message. */
  readonly log: string | undefined;
  /** Refusals of one kind share a line of the log a minute. */
  readonly kind: string;
  /** The check that failed, a label of metrics. */
  readonly check: string;
  /** How long to wait before the next attempt, s. */
  readonly retryAfterS: number;

  /** @param status HTTP status, 400 to 599 */
  constructor(
    readonly status: number,
    message: string,
    details: readonly string[] | RefusalDetails = [],
  ) {
    super(message);
    this.name = 'UpgradeRefusal';
    const given: RefusalDetails = 'length' in details ? { headers: details } : details;
    this.headers = given.headers ?? [];
    this.log = given.log;
    this.kind = given.kind ?? message;
    this.check = given.check ?? 'other';
    this.retryAfterS = given.retryAfterS ?? 1;
  }
}

/** Identity of this node. */
export abstract class NodeIdentity {
  abstract readonly nodeId: string;
}

/** Knows if other nodes may have told this one something that it has not heard yet. */
export abstract class NodeHearing {
  /** Resolves when it has heard everything from before this moment, after its process stood still; undefined if it has. */
  abstract readonly behind: Promise<void> | undefined;
}

/** Limits of upgrades on every path of this node; Infinity: no limit. */
export abstract class UpgradeLimits {
  /** Networks of proxies whose `X-Forwarded-For` counts; undefined: it is not known if there are any. */
  abstract readonly trustedProxies: readonly string[] | undefined;
  /** Connections of one address, those that are being admitted among them. */
  abstract readonly connectionsPerAddress: number;
  /** The same of all addresses. */
  abstract readonly connectionsPerNode: number;
  /** Upgrade requests per second of one address; ten seconds' worth may come at once. */
  abstract readonly handshakesPerAddress: number;
  /** The same of all addresses. */
  abstract readonly handshakesPerSecond: number;
  /** How long a handshake may take, ms: its head, and then the answer of admission and guards. */
  abstract readonly handshakeMs: number;
  /** Connections that have sent no complete request yet. */
  abstract readonly halfOpen: number;
}

/** Guards that are asked at each upgrade, in order. */
export abstract class ConnectGuardList {
  abstract readonly guards: readonly (Type<CanActivate> | CanActivate)[];
}

/** Limits of clients. */
export abstract class ClientLimits {
  /** Largest number of rooms that a session, or a connection without one, may be in. */
  abstract readonly maxRooms: number;
  /** Frames that a client may send per second; Infinity: any number. Default 1,000. */
  abstract readonly framesPerSecond?: number;
  /** Bytes of frames that a client may send per second; Infinity: any number. Default 1,048,576. */
  abstract readonly bytesPerSecond?: number;
}

/** Gives a place back; it is called once. */
export type GiveBack = () => void;

/** Places whose number is limited over all nodes. */
export abstract class PlaceSource {
  /**
   * Takes a place in a room for a member.
   * @param most of the room's kind; 0: the application's
   * @param isMember true for a session that comes back: it gets one in any case
   * @returns undefined if the room is full
   * @throws Error when the engine is out of reach
   */
  abstract inRoom(room: string, most: number, isMember: boolean): Promise<GiveBack | undefined>;

  /**
   * Takes a place for a connection of a user.
   * @returns undefined if the user has too many
   * @throws Error when the engine is out of reach
   */
  abstract ofUser(user: string): Promise<GiveBack | undefined>;
}

/** Decides what errors may tell about the application. */
export abstract class ErrorHints {
  /** True in development: errors may suggest the names of declared events and kinds of rooms. */
  abstract readonly showsNames: boolean;
}

/** Sessions of clients, kept in the engine. */
export abstract class SessionSource {
  /**
   * Opens the session that the token names, or a new one.
   * @param revokedAt when the user was revoked: sessions that began before are over
   */
  abstract open(user: string, token?: string, revokedAt?: number): Promise<OpenedSession>;

  /** Ends a session for good: its user was revoked. Best effort. */
  abstract revoked(session: ClientSession): void;

  /**
   * Notes that the session is a member of the room from now on, also after a reconnect. Best effort.
   * @param since position from which on it is; present where memberships of the room were ended
   */
  abstract joined(session: ClientSession, room: string, since?: Position): void;

  /**
   * Position since which the session is a member of the room, as `gatePosition` writes it; '' if none was noted.
   * @throws GatewayError `unavailable` when the engine is out of reach
   */
  abstract memberSince(session: ClientSession, room: string): Promise<string>;

  /** Notes that the session is not a member any more. Best effort. */
  abstract left(session: ClientSession, room: string): void;

  /** Notes that the connection of the session has gone. */
  abstract disconnected(session: ClientSession): void;

  /**
   * Called before a numbered command is carried out.
   * @throws GatewayError `unavailable` when the engine is out of reach
   */
  abstract prepareLane(session: ClientSession, room: string): Promise<void>;
}

/** Events and rooms that other live nodes know; during an update these may know more than this node. */
export abstract class PeerContracts {
  /**
   * True if one of them has a handler for this event, in this kind of room.
   * @throws Error when the engine is out of reach
   */
  abstract knows(event: string, roomType: string | undefined): Promise<boolean>;

  /**
   * True if one of them has this kind of room.
   * @throws Error when the engine is out of reach
   */
  abstract knowsRooms(roomType: string): Promise<boolean>;
}
