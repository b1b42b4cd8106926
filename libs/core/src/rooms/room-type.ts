import type { CanActivate, Type } from '@nestjs/common';
import type { EventClasses, RoomEvents } from './room-events.js';

/** How much of a room's log is kept for clients that come back. */
export interface HistoryOptions {
  /** Least number of events that are kept. Default 1,000. */
  readonly events?: number;
  /** The log as a whole expires this long after its last event, ms. Default 86,400,000 (a day). */
  readonly ttlMs?: number;
}

/**
 * Treatment of a member that has too much unread. `resync`: volatile events are dropped; if that is not enough, it
 * gets none until it has caught up, then those that it missed, from the log. `drop`: volatile events are dropped; if
 * that is not enough, it is closed with 4408. `close`: nothing is dropped; where the other rooms' events that may be
 * dropped are not enough, it is closed with 4408.
 */
export type BackPressure = 'resync' | 'drop' | 'close';

/** Options of a kind of room. */
export interface RoomTypeOptions {
  /**
   * Events of the room's log by name, with the class of each one's data: `{ 'chat.sent': MessageSent }`. They are the
   * contract: if a type declares events, here or in `volatile`, it may send no others. Default: any.
   */
  readonly events?: EventClasses;
  /** Events that may be lost, with the class of each one's data. */
  readonly volatile?: EventClasses;
  readonly history?: HistoryOptions;
  /**
   * Guard of `$join`: a Nest guard in `ws` context, with the command as `@CurrentCommand()`. Default: everyone may
   * join.
   */
  readonly join?: Type<CanActivate>;
  /** Shows members to each other: they get `$presence` and may ask for the list. Default false. */
  readonly presence?: boolean;
  /** Default `resync`. */
  readonly backPressure?: BackPressure;
  /** Makes every commit wait until it survives a failover. Needs replicas to be configured. Default no. */
  readonly durable?: boolean;
  /** Lets clients that are not members send commands to the room. Default no. */
  readonly openToAll?: boolean;
  /**
   * A room expires as a whole this long after its last commit, ms, at least 60,000, unless it has members: their nodes
   * keep it, and may stand still, or be without Redis, for half of this time less 2 s. Default 0: never.
   */
  readonly idleTtlMs?: number;
  /**
   * Members of a room over all nodes, clients counted, at most 10,000,000; beyond it `$join` is `limit`. A session that
   * comes back to a room always gets in. Default 0: as many as the application's limit says.
   */
  readonly maxMembers?: number;
}

/** A declared room type with all defaults filled in. */
export interface RoomTypeDeclaration extends Required<
  Omit<RoomTypeOptions, 'history' | 'join' | 'events' | 'volatile'>
> {
  /** Absent if the type declares no events. */
  readonly events?: RoomEvents;
  readonly type: string;
  readonly history: Required<HistoryOptions>;
  readonly join?: Type<CanActivate>;
}

/** The metadata that the decorator stores on the class. */
export interface RoomTypeMetadata {
  readonly type: string;
  /** Absent if a class only refers to a type that another class declares. */
  readonly options?: RoomTypeOptions;
}

const ROOM_TYPE = Symbol('wss:room-type');

/**
 * Declares a room type. On a class of handlers it also ties their commands to rooms of this type: `room` is
 * required then and must be of the type. A second class of handlers for the same type names it without options.
 * The class must be a provider of its module.
 */
export function RoomType(type: string, options?: RoomTypeOptions): ClassDecorator {
  return (target) => Reflect.defineMetadata(ROOM_TYPE, { type, options } satisfies RoomTypeMetadata, target);
}

/** The metadata that `@RoomType` stored on a class, if it did. */
export function roomTypeOf(target: object): RoomTypeMetadata | undefined {
  return Reflect.getMetadata(ROOM_TYPE, target) as RoomTypeMetadata | undefined;
}
