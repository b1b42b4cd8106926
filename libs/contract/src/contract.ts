import type { StatedLimit } from '@wss/core';
import type { JsonSchema, Schemas } from './json-schema.js';

/** An event from a client. */
export interface CommandContract {
  readonly event: string;
  readonly data: JsonSchema;
  /** Absent if the handler does not declare its reply. */
  readonly reply?: JsonSchema;
  /** How often it may be sent, in the order of the handler; absent without limits. */
  readonly limits?: readonly StatedLimit[];
}

/** An event to clients. */
export interface EventContract {
  readonly event: string;
  readonly data: JsonSchema;
  /** True if the event may be lost and has no number. */
  readonly volatile: boolean;
}

/** A document of a kind of room. */
export interface DocumentContract {
  readonly name: string;
  readonly value: JsonSchema;
}

/** A kind of room. */
export interface RoomContract {
  readonly type: string;
  readonly commands: readonly CommandContract[];
  readonly events: readonly EventContract[];
  readonly documents: readonly DocumentContract[];
  /** Members of a room at most; absent: as many as the server's own limit says. */
  readonly maxMembers?: number;
}

/** The frames that clients may send to the server and get from it. Everything is in alphabetical order. */
export interface AppContract {
  /** Commands without a room. */
  readonly commands: readonly CommandContract[];
  /** Events outside of rooms. */
  readonly events: readonly EventContract[];
  readonly rooms: readonly RoomContract[];
  readonly schemas: Schemas;
}
