// Made by "npm run contract" from the decorated handlers. Do not edit.

export interface Add {
  readonly by: number;
}

export interface AddCard {
  readonly title: string;
}

/** Log event `counter.added`. */
export interface Added {
  readonly by: number;
  /** The counter after it. */
  readonly value: number;
}

/** Place of a logged event. */
export interface Appended {
  /** Its number in the room's log. */
  readonly seq: number;
}

export interface Board {
  readonly cards: readonly Card[];
}

export interface Card {
  readonly id: string;
  readonly title: string;
}

/** Log event `board.card-added`. */
export interface CardAdded {
  readonly title: string;
  readonly card: string;
}

/** Log event `board.card-moved`. */
export interface CardMoved {
  /** Where it is now, 0-based. */
  readonly to: number;
  readonly card: string;
  /** Where it was, 0-based. */
  readonly from: number;
}

/** Log event `board.card-removed`. */
export interface CardRemoved {
  readonly card: string;
  /** Where it was, 0-based. */
  readonly from: number;
}

export interface Counter {
  readonly value: number;
}

/** Reply to `counter.read`. */
export interface CounterReading {
  /** Number of the event that last changed the counter; 0 if none did. */
  readonly version: number;
  readonly value: number;
}

/** Reply to `counter.add`. */
export interface CounterValue {
  readonly value: number;
}

/** Data without properties: `events: { 'poll.closed': Empty }`, or a reply `{}`. */
export type Empty = { readonly [key: string]: never };

/** Log event `chat.sent`. */
export interface MessageSent {
  readonly user: string;
  readonly text: string;
  /** Milliseconds since 1970, by the node's clock. */
  readonly at: number;
}

export interface MoveCard {
  readonly card: string;
  /** 0-based; beyond the end means the end. */
  readonly to: number;
}

/** Reply to `board.move-card`: where the card was, 0-based. */
export interface MovedFrom {
  readonly from: number;
}

/** Reply to `board.add-card`: the id that the server made. */
export interface NewCard {
  readonly card: string;
}

export interface RemoveCard {
  readonly card: string;
}

export interface Say {
  readonly text: string;
}

export interface SendMessage {
  readonly text: string;
}

/** Volatile event `chat.typing`. */
export interface Typing {
  readonly user: string;
}

/** The commands that the server takes and the events that it sends. */
export interface WssContract {
  readonly commands: {
    readonly 'echo.say': { readonly data: Say; readonly reply: Say };
  };
  readonly events: {};
  readonly rooms: {
    readonly board: {
      readonly commands: {
        readonly 'board.add-card': { readonly data: AddCard; readonly reply: NewCard };
        readonly 'board.move-card': { readonly data: MoveCard; readonly reply: MovedFrom };
        readonly 'board.remove-card': { readonly data: RemoveCard; readonly reply: Empty };
      };
      readonly events: {
        readonly 'board.card-added': CardAdded;
        readonly 'board.card-moved': CardMoved;
        readonly 'board.card-removed': CardRemoved;
      };
      readonly documents: {
        readonly board: Board;
      };
    };
    readonly chat: {
      readonly commands: {
        readonly 'chat.send': { readonly data: SendMessage; readonly reply: Appended };
        readonly 'chat.typing': { readonly data: { readonly [key: string]: never }; readonly reply: null };
      };
      readonly events: {
        readonly 'chat.sent': MessageSent;
        readonly 'chat.typing': Typing;
      };
      readonly documents: {};
    };
    readonly counter: {
      readonly commands: {
        readonly 'counter.add': { readonly data: Add; readonly reply: CounterValue };
        readonly 'counter.read': { readonly data: { readonly [key: string]: never }; readonly reply: CounterReading };
      };
      readonly events: {
        readonly 'counter.added': Added;
      };
      readonly documents: {
        readonly counter: Counter;
      };
    };
  };
}
