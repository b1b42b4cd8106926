import { gatePosition, type LoggedEnding, loggedEnding } from '@wss/core';
import { lastSeq, type Position } from '@wss/protocol';
import type { ResumeReply } from '@wss/state';

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
  return [...read, ...listed.map((ending) => loggedEnding(ending, epoch))];
}
