import { gatePosition, gateSeq } from '@wss/core';
import { type Ending, lastSeq, type Position } from '@wss/protocol';
import type { ResumeReply } from '@wss/state';

/** An ending of memberships, and its place in the room's log. */
export type LoggedEnding = Ending & Position;

/**
 * The endings of memberships that a node missed up to where the room stands, oldest first: those of the entries that it
 * read, and those that the room lists behind them.
 * @param end where the entries lead
 */
export function missedEndings(
  { entries, gate }: ResumeReply,
  before: Position,
  end: Position,
): LoggedEnding[] {
  const { epoch } = end;
  const read = entries.flatMap((entry) =>
    entry.ending && lastSeq(entry) > before.seq ? { ...entry.ending, epoch, seq: lastSeq(entry) } : [],
  );
  const listed = gate?.after(gatePosition(end)) ?? [];
  return [...read, ...listed.map(({ at, ...ending }) => ({ ...ending, epoch, seq: gateSeq(at) }))];
}
