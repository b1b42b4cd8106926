import type { WssError } from './errors.js';

/** Types of a command's data and reply. */
export interface CommandTypes {
  readonly data: unknown;
  readonly reply: unknown;
}

/** Types of the commands, events and documents of a kind of room. */
export interface RoomTypes {
  readonly commands: object;
  /** Data of its events by name. */
  readonly events: object;
  /** Values of its documents by name. */
  readonly documents: object;
}

/** The server's contract; generated from its decorated handlers. */
export interface Contract {
  /** Commands without a room. */
  readonly commands: object;
  /** Events to this client, to a user or to everybody. */
  readonly events: object;
  /** Kinds of rooms. */
  readonly rooms: object;
}

/** A contract that allows everything, for servers without a generated one. */
export interface AnyContract {
  readonly commands: Record<string, { data: unknown; reply: unknown }>;
  readonly events: Record<string, unknown>;
  readonly rooms: Record<
    string,
    {
      readonly commands: Record<string, { data: unknown; reply: unknown }>;
      readonly events: Record<string, unknown>;
      readonly documents: Record<string, unknown>;
    }
  >;
}

/** Names of a map. */
export type NameOf<Map> = keyof Map & string;

/** Type of the data of a map's command. */
export type DataOf<Map, Name extends keyof Map> = Map[Name] extends { data: infer Data } ? Data : never;

/** Type of the reply of a map's command. */
export type ReplyOf<Map, Name extends keyof Map> = Map[Name] extends { reply: infer Reply } ? Reply : never;

/** The types of one kind of room. */
export type RoomOf<C extends Contract, Type extends keyof C['rooms']> = C['rooms'][Type] extends RoomTypes
  ? C['rooms'][Type]
  : never;

/** A position in a room's history. */
export interface RoomPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** An event of a room. */
export interface RoomEvent<Data = unknown> {
  readonly event: string;
  readonly data: Data;
  /** Its number in the room's log; absent for volatile events. */
  readonly seq?: number;
}

/** A break in a room's history: seen events can't be continued; live copies now hold the server's documents. */
export interface RoomReset {
  readonly reason: string;
  /** Numbers that were seen and do not exist any more. */
  readonly lost: { readonly from: number; readonly to: number } | null;
  /** From where the room goes on. */
  readonly position: RoomPosition;
}

/** How one command is carried out. */
export interface CommandOptions {
  /** Gives up waiting; a command that was sent already may still take effect. */
  readonly signal?: AbortSignal;
  /** How long to wait for the answer, ms, offline time included; `Infinity`: as long as it takes. Default 30,000. */
  readonly timeoutMs?: number;
}

/** A numbered command. */
export interface NumberedCommand {
  readonly n: number;
  readonly event: string;
  readonly data: unknown;
}

/** Commands that took effect and were lost by the server's storage. */
export interface Rollback {
  readonly room: string;
  /** The lost commands that are still known here. */
  readonly commands: readonly NumberedCommand[];
  /** Lost numbers whose commands are not known any more. */
  readonly forgotten: readonly number[];
  /**
   * True if the commands are sent again, exactly once. If one of them then fails, another rollback with false reports
   * it.
   */
  readonly resubmitted: boolean;
}

/** How a room is joined. */
export interface JoinOptions extends CommandOptions {
  /** When the room is joined for the first time: this many of its newest events come first. Default 0. */
  readonly last?: number;
  /** Data shown to others with the user, where the room shows its members: at most 1,024 bytes as JSON. */
  readonly meta?: object;
}

/** State of a room. */
export type RoomStatus =
  /** The client is connecting; `error` is the reason of the last failure. */
  | { readonly state: 'joining'; readonly error?: WssError }
  /** Everything up to now was seen; new events come at once. */
  | { readonly state: 'live' }
  /** We are behind: there was no connection (`reconnect`), or events were missing (`gap`). They follow. */
  | { readonly state: 'catching up'; readonly reason: 'reconnect' | 'gap' }
  /** The seen events can't be continued; the room goes on from where the server says. */
  | { readonly state: 'reset'; readonly reason: string }
  /** We are not in it: never joined, left, or for the reason in `error`. */
  | { readonly state: 'left'; readonly error?: WssError };

/**
 * Gets the inner events of the client: frames that were `sent` and `received`, with tokens left out, and decisions
 * (`decided`): a status, or words.
 */
export type DebugListener = (kind: 'sent' | 'received' | 'decided', what: unknown) => void;

/**
 * The part of an HTTP response that explains a refused upgrade.
 * @internal
 */
export type UpgradeListener = (
  request: unknown,
  response: { readonly statusCode: number; readonly headers: Readonly<Record<string, string | undefined>> },
) => void;

/** The part of a WebSocket that the client uses: the global one, or that of the `ws` package. */
export interface SocketLike {
  readonly protocol: string;
  /** The handler, as in the standard. */
  onopen: unknown;
  onmessage: unknown;
  onerror: unknown;
  onclose: unknown;
  /** An event of the `ws` package only: it has the HTTP status. */
  readonly on?: unknown;
  send(text: string): void;
  close(code?: number): void;
  /** That of the `ws` package, which alone can do without a closing handshake. */
  terminate?(): void;
}

/** Makes sockets. */
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;
