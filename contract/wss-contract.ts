// Made by "npm run contract" from the decorated handlers. Do not edit.

export interface Add {
  readonly by: number;
}

export interface AddCard {
  readonly title: string;
}

export interface Added {
  readonly by: number;
  readonly value: number;
}

export interface Appended {
  readonly seq: number;
}

export interface Board {
  readonly cards: readonly Card[];
}

export interface Card {
  readonly id: string;
  readonly title: string;
}

export interface CardAdded {
  readonly title: string;
  readonly card: string;
}

export interface CardMoved {
  readonly to: number;
  readonly card: string;
  readonly from: number;
}

export interface CardRemoved {
  readonly card: string;
  readonly from: number;
}

export interface Counter {
  readonly value: number;
}

export interface CounterReading {
  readonly version: number;
  readonly value: number;
}

export interface CounterValue {
  readonly value: number;
}

export type Empty = { readonly [key: string]: never };

export interface MessageSent {
  readonly user: string;
  readonly text: string;
  readonly at: number;
}

export interface MoveCard {
  readonly card: string;
  readonly to: number;
}

export interface MovedFrom {
  readonly from: number;
}

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
