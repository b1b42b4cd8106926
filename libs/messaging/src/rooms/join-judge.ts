import {
  type GateMember,
  gatePosition,
  type LoggedEnding,
  loggedEnding,
  type RoomStart,
  type RoomTypeDeclaration,
} from '@wss/core';
import type { Position } from '@wss/protocol';

/** The facts about a client that joins. */
export interface Joining {
  readonly type: RoomTypeDeclaration;
  /** Reads the position since which the session's membership holds, '' if it is not known; for one that comes back. */
  readonly memberSince?: () => Promise<string>;
}

/**
 * Judges a join by the endings of memberships of its room (R38). A membership that a session comes back to may have
 * ended, and so may the one that a client's position comes from. Where the list of the room does not reach back to
 * what the client has seen, it may have ended, so nobody goes on from it. An answer of a guard from before an ending of
 * the client's memberships does not count.
 */
export class JoinJudge {
  /** The ending of the membership that the client wants to go on with. */
  ended?: LoggedEnding;
  /** True if it is not known any more if that membership has ended. */
  isForgotten = false;
  /** True if the client did not enter and has to be judged again. */
  isOpen = false;

  /** Position since which the membership holds that the session came back to. */
  private since?: string;
  /** Position of the room when the guard was asked last; '' if it is not known. */
  private askedAt = '';

  constructor(
    private readonly member: GateMember,
    private readonly from: Position | undefined,
    private readonly joining: Joining,
  ) {}

  /** Returns true if the client does not enter with this start. */
  stops(start: RoomStart): boolean {
    this.isOpen = this.judge(start);
    return this.isOpen || this.isForgotten || this.ended !== undefined;
  }

  /** Reads what has to be known for the next attempt. */
  async prepare(): Promise<void> {
    this.since ??= await this.joining.memberSince?.();
  }

  /** Returns true if it is not decided. */
  private judge({ gate, position }: RoomStart): boolean {
    if (!gate) return false;
    const { type, memberSince } = this.joining;
    const { member, from, since } = this;
    if (memberSince && since === undefined) return true;
    const endOfMembership = memberSince && gate.endOf(member, since!);
    const endSinceSeen = from ? gate.endOf(member, gatePosition(from)) : endOfMembership;
    const end = [endOfMembership, endSinceSeen].find((one) => typeof one === 'object');
    if (end) {
      this.ended = loggedEnding(end, position.epoch);
      return false;
    }
    // A member that has seen more than was dropped from the list was a member then.
    this.isForgotten = endSinceSeen === 'unknown';
    if (this.isForgotten) return false;
    const { askedAt } = this;
    this.askedAt = gatePosition(position);
    return type.join !== undefined && gate.endOf(member, askedAt) !== undefined;
  }
}
