import type { ClientFrame, Position } from '@wss/protocol';
import type { Client } from './client.js';
import type { CommandOrder } from './command-order.js';
import type { RateCharge } from './rate-charge.js';
import { GatewayError } from '../errors/gateway-error.js';

/** A command's answer as the engine recorded it. */
export type RecordedAnswer = { readonly data: unknown } | { readonly error: GatewayError };

/** The engine's verdict on a command. */
export interface CommandEffect {
  /** Position at which the command took effect; for a record without events, the room's position at that time. */
  readonly position: Position;
  /** True if it had been applied before; this is the recorded answer. */
  readonly duplicate: boolean;
  /** The recorded answer. */
  readonly answer: () => RecordedAnswer;
}

/** Identity and numbering of a command that takes effect exactly once. */
export interface CommandNumber {
  readonly session: string;
  /** Raised when another connection takes the session over; older generations are refused. */
  readonly generation: number;
  /** End of the session, ms since 1970; no number counts after it. */
  readonly sessionEndsAt: number;
  readonly n: number;
  readonly ack: number;
  readonly epoch?: string;
}

/** A sender's membership of the room, as its node saw it when the command began. */
export interface CommandMembership {
  readonly session?: string;
  /** Position up to which the membership holds; absent: of one that a session came back to, that is not known. */
  readonly heldUntil?: Position;
}

/** The parts of a command. */
export interface CommandInit {
  readonly frame: ClientFrame;
  readonly client: Client;
  /** When the command must have entered its commit, ms on this process' steady clock. */
  readonly deadline: number;
  readonly order?: CommandOrder;
  readonly number?: CommandNumber;
}

/** A client's event on its way through a handler: `@CurrentCommand() command: Command`. */
export class Command {
  readonly event: string;
  /** The room that it concerns; handlers of a class with `@RoomType` always have one. */
  readonly room: string | undefined;
  readonly id: number | string | undefined;
  readonly client: Client;
  /** When the command must have entered its commit, ms on this process' steady clock; after that it is answered and may not commit. */
  readonly deadline: number;
  /** Present if the client numbered the command. */
  readonly number: CommandNumber | undefined;
  /** Present if the sender was a member of the room as it began; a commit refuses the command if that has ended (R38). */
  membership: CommandMembership | undefined = undefined;
  /** The client's data, for the fingerprint of a numbered command. */
  readonly data: unknown;
  /** The engine's verdict; undefined until there is one. */
  effect: CommandEffect | undefined = undefined;
  /** The command entered its commit or ended; commands behind it may commit. */
  passed = false;
  /** Limits of its room that its commit, or its record, is charged to. */
  charges: readonly RateCharge[] | undefined = undefined;

  private committing = false;
  private expired = false;
  private readonly order: CommandOrder | undefined;

  constructor({ frame, client, deadline, order, number }: CommandInit) {
    this.event = frame.event;
    this.data = frame.data;
    this.client = client;
    this.deadline = deadline;
    this.room = frame.room;
    this.id = frame.id;
    this.number = number;
    this.order = order;
    order?.add(this);
  }

  /** Number of the command in its session and room, if the client numbered it. */
  get n(): number | undefined {
    return this.number?.n;
  }

  /** Id of the user who sent it. */
  get user(): string {
    return this.client.user;
  }

  /**
   * Claims the one commit that a command may make.
   * @returns the command's room
   * @throws GatewayError `internal` on a second commit or without a room, `unavailable` after the deadline.
   */
  claimCommit(): string {
    if (this.room === undefined) {
      throw new GatewayError('internal', 'internal error', {
        cause: new Error(`"${this.event}" commits but came without a room; put @RoomType on its class`),
      });
    }
    if (this.expired) throw new GatewayError('unavailable', 'the deadline passed before the commit');
    if (this.committing) {
      throw new GatewayError('internal', 'internal error', {
        cause: new Error(`"${this.event}" commits twice; a command makes one commit, so merge the updates`),
      });
    }
    this.committing = true;
    return this.room;
  }

  /** True if a commit was claimed. */
  get claimed(): boolean {
    return this.committing;
  }

  /** Resolves when no earlier command of this client in this room can still commit; `undefined` if none can now. */
  inOrder(): Promise<void> | undefined {
    return this.order?.before(this);
  }

  /** Notes that the command entered its commit or ended. Calling it again has no effect. */
  pass(): void {
    if (this.passed) return;
    this.passed = true;
    this.order?.settle();
  }

  /**
   * Takes the command's place away after its deadline.
   * @returns true if it had not entered a commit; then it never will
   */
  expire(): boolean {
    if (this.committing) return false;
    this.expired = true;
    this.pass();
    return true;
  }
}
