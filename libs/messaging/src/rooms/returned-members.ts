import { Injectable } from '@nestjs/common';
import {
  type ClientSession,
  type GateMember,
  loggedEnding,
  membershipEnded,
  membershipUnknown,
  type RoomStart,
} from '@wss/core';
import { settledWithin } from '@wss/protocol';
import { MemberJudge } from '../commands/member-judge.js';
import type { RoutedCommand } from '../commands/routed-command.js';
import { RoomSource, SessionSource } from '../ports/ports.js';
import type { ClientSocket } from '../socket/client-socket.js';
import type { RoomState } from '../socket/room-state.js';
import { Removals } from './removals.js';

/** How long a command waits until it is known if its sender is a member, ms. */
const JUDGE_MS = 2_000;
/** A start that shows nothing of the room but its gate. */
const GATE_ONLY = { newest: 0, documents: false } as const;

/**
 * Judges members whose membership may have ended while this node could not hear of it: those of a resumed session that
 * have not joined yet, each time, because their rooms are not followed for them; and those of rooms whose link was lost,
 * until the room was read (R38).
 */
@Injectable()
export class ReturnedMembers extends MemberJudge {
  constructor(
    private readonly source: RoomSource,
    private readonly sessions: SessionSource,
    private readonly removals: Removals,
  ) {
    super();
  }

  judge({ client, room, membership }: RoutedCommand): Promise<void> | undefined {
    if (!membership || room === undefined) return undefined;
    const state = client.roomState(room)!;
    if (state.ended) throw membershipEnded(state.ended);
    if (state.hold) return state.hold.current() && this.inTime(() => this.untilCurrent(state));
    // It has left the room meanwhile, of its own will, or its join is judged already.
    if (!state.joined || !client.session) return undefined;
    return this.inTime((signal) => this.judgeReturned({ client, room, signal }));
  }

  private async untilCurrent(state: RoomState): Promise<void> {
    for (let read = state.hold?.current(); read; read = state.hold?.current()) await read;
    if (state.ended) throw membershipEnded(state.ended);
  }

  /** @throws GatewayError `unavailable` after a while */
  private async inTime(judge: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const late = new AbortController();
    if (await settledWithin(judge(late.signal), JUDGE_MS)) return;
    late.abort(membershipUnknown());
    throw membershipUnknown();
  }

  private async judgeReturned({ client, room, signal }: ReturnedMember): Promise<void> {
    let start: RoomStart | undefined;
    await this.source.begin(room, { ...GATE_ONLY, signal }, (begun) => (start = begun));
    if (!start?.gate) return;
    const since = await this.sessions.memberSince(client.session!, room);
    this.requireOpen({ client, room, signal }, start, since);
  }

  private requireOpen(
    { client, room, signal }: ReturnedMember,
    { gate, position }: RoomStart,
    since: string,
  ): void {
    const state = client.roomState(room);
    if (state?.ended) throw membershipEnded(state.ended);
    const end = gate!.endOf(memberOf(client), since);
    if (!end) return;
    if (end === 'unknown') throw membershipUnknown();
    // Its connection may have gone, or its join may have been judged meanwhile.
    if (signal.aborted || !state?.joined || state.hold) return;
    throw this.removals.refuse(client, room, loggedEnding(end, position.epoch));
  }
}

/** A client that came back to a room and has not joined it yet. */
interface ReturnedMember {
  readonly client: ClientSocket;
  readonly room: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

function memberOf({ user, session }: { user: string; session?: ClientSession }): GateMember {
  return { user, session: session?.id };
}
