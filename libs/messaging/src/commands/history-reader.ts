import { Injectable } from '@nestjs/common';
import { gatePosition, membershipEnded, membershipUnknown, notMember, Slots } from '@wss/core';
import type { LogEntry } from '@wss/protocol';
import { type HistoryPage, HistorySource } from '../ports/history-source.js';
import type { ClientSocket } from '../socket/client-socket.js';
import type { RoomState } from '../socket/room-state.js';
import type { RoutedCommand } from './routed-command.js';

/** Pages that a node reads at a time. */
const PAGES_AT_ONCE = 8;
/** Most bytes of a page as it is stored; a single command may have more. */
const PAGE_BYTES = 65_536;
/** Events of a page unless the client says otherwise. */
const PAGE_EVENTS = 100;

/** The part of a room's log that a client asks for. */
export interface HistoryRange {
  /** The page ends before this number; default: with the newest event. */
  readonly before?: number;
  /** Epoch in which the client has that number. */
  readonly epoch?: string;
  readonly limit?: number;
}

/** Answers what happened in a room before. */
@Injectable()
export class HistoryReader {
  private readonly slots = new Slots(PAGES_AT_ONCE);
  /** Of clients that have a page under way: one at a time, so that nobody has all slots. */
  private readonly reading = new Map<ClientSocket, Slots>();

  constructor(private readonly source: HistorySource) {}

  /**
   * Answers a member of the command's room with a page of its log.
   * @throws GatewayError `forbidden` for a client that is not a member, `unavailable`.
   */
  async answer(command: RoutedCommand, range: HistoryRange): Promise<void> {
    requireMember(command);
    await this.inItsTurn(command.client, async () => {
      // Nobody waits for it any more.
      if (command.answered) return;
      const page = await this.read(command, range);
      requireStay(command, page);
      command.answerJson(encodePage(page, range));
    });
  }

  private async inItsTurn(client: ClientSocket, read: () => Promise<void>): Promise<void> {
    const own = this.reading.get(client) ?? new Slots(1);
    this.reading.set(client, own);
    try {
      await own.run(() => this.slots.run(read));
    } finally {
      if (own.isFree) this.reading.delete(client);
    }
  }

  /** Beside commands a server that was replaced may answer; then the epoch is another one than the room's. */
  private async read(command: RoutedCommand, range: HistoryRange): Promise<HistoryPage> {
    const { limit: events = PAGE_EVENTS, ...end } = range;
    const request = { events, bytes: PAGE_BYTES, ...end };
    const { place } = requireMember(command);
    const page = await this.source.page(command.room!, { ...request, bulk: true });
    if (page.position.epoch === place!.seen.epoch) return page;
    return this.source.page(command.room!, request);
  }
}

function requireMember({ client, room }: RoutedCommand): RoomState {
  const state = client.roomState(room!);
  if (state?.ended) throw membershipEnded(state.ended);
  if (!state?.hold) throw notMember();
  return state;
}

/** Its membership may have ended meanwhile; the page may tell before the log does (R38). */
function requireStay(command: RoutedCommand, { gate }: HistoryPage): void {
  const { client } = command;
  const { seen } = requireMember(command).place!;
  const end = gate?.endOf({ user: client.user, session: client.session?.id }, gatePosition(seen));
  if (end === 'unknown') throw membershipUnknown();
  if (end) throw membershipEnded(end);
}

/** A page of at most so many events; where a single command has more, its newest ones. */
function encodePage(page: HistoryPage, { before = Infinity, limit = PAGE_EVENTS }: HistoryRange): string {
  const { position, oldest, reason, lost } = page;
  const end = Math.min(before, position.seq + 1);
  const events = page.entries.flatMap((entry) => eventsBefore(end, entry)).slice(-limit);
  const start = events[0]?.seq ?? end;
  const more = reason ? { reason, ...(lost && { lost }) } : whatFollows(start, events.length > 0, oldest);
  const head = JSON.stringify({ epoch: position.epoch, first: oldest, ...more });
  return `${head.slice(0, -1)},"events":[${events.map(({ json }) => json).join()}]}`;
}

/** Where the next page ends; without one, if the log has lost what was before. */
function whatFollows(start: number, isAny: boolean, oldest: number): { next?: number; reason?: 'trimmed' } {
  if (isAny && start > oldest) return { next: start };
  return start > 1 ? { reason: 'trimmed' } : {};
}

/** The events of an entry with numbers before the end, as JSON. */
function eventsBefore(end: number, { first, events }: LogEntry): { seq: number; json: string }[] {
  return events.slice(0, Math.max(0, end - first)).map(({ event, data }, index) => {
    const seq = first + index;
    return { seq, json: `{"event":${event},"seq":${seq},"data":${data}}` };
  });
}
