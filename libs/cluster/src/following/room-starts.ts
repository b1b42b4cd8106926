import { type DocumentsJson, lossOf, type RoomStart, type StartRequest } from '@wss/core';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import type { ResumeReply } from '@wss/state';
import { firstPart, withoutSeen } from './log-entries.js';
import type { ReadParts } from './read-parts.js';
import type { RoomStanding } from './room-standing.js';
import { viewsOf } from './room-start.js';

/** How long documents that were read are used for joins, ms. */
const DOCUMENTS_MS = 1_000;
/** Largest amount of data that a client begins with, or gets at a time while it catches up, characters. */
const PART_CHARACTERS = 262_144;

/** Data that is missing before a client can begin: the room's position, its documents, or the events after a number. */
export type Missing = 'truth' | 'documents' | number;

/** Settings of a room's starts. */
export interface RoomStartsOptions {
  readonly room: string;
  /** Events that the room's log keeps; more are never replayed. */
  readonly historyEvents: number;
  /** JSON of the room's documents that were never written. */
  readonly emptyDocuments: ReadonlyMap<string, string>;
  /** Parts of logs that the node has read. */
  readonly parts: ReadParts;
}

interface ReadDocuments {
  readonly position: Position;
  readonly documents: DocumentsJson;
  readonly at: number;
}

/** Works out how clients begin in a room, from what the node has at hand. */
export class RoomStarts {
  private read?: ReadDocuments;

  constructor(private readonly options: RoomStartsOptions) {}

  /** Shows documents that were read as clients see them. */
  viewsOf({ documents }: Pick<ResumeReply, 'documents'>): DocumentsJson {
    return viewsOf(documents, this.options.emptyDocuments);
  }

  /** Keeps documents for those who join next. */
  keep(position: Position, documents: DocumentsJson): void {
    this.read = { position, documents, at: performance.now() };
  }

  /** True if documents are kept that were read in this epoch. */
  hasDocumentsOf(epoch: string): boolean {
    return this.read?.position.epoch === epoch;
  }

  /**
   * Says where a client begins, or what has to be read before that is known.
   * @param live the room's position at the first look
   * @param isCurrent the room was brought up to date for this client
   */
  startFor(
    standing: RoomStanding,
    { from, newest = 0, documents }: StartRequest,
    { live, isCurrent }: { readonly live: Position; readonly isCurrent: boolean },
  ): RoomStart | Missing {
    const { historyEvents: most } = this.options;
    if (from) {
      const lost = lossOf(from, standing);
      if (lost) return isCurrent ? this.withDocuments(standing, lost) : 'truth';
      const isTooFar = standing.position.seq - from.seq > most;
      if (isTooFar) return this.withDocuments(standing, { reason: 'too_far' });
      const entries = this.after(standing, from.seq);
      if (entries) return startWith(standing, withoutSeen(entries, from.seq));
      return from.seq + 1 < standing.oldest ? this.withDocuments(standing, { reason: 'trimmed' }) : from.seq;
    }
    if (documents) return this.withDocuments(standing);
    const wanted = Math.max(live.seq - Math.min(newest, most), standing.oldest - 1, 0);
    const entries = this.after(standing, Math.min(wanted, standing.position.seq));
    return entries ? startWith(standing, entries) : wanted;
  }

  /** Whole entries after an event, as far as they are at hand; undefined if they are not. */
  private after({ position, history }: RoomStanding, seq: number): LogEntry[] | undefined {
    const { room, parts } = this.options;
    return history.since(seq) ?? parts.find(room, position.epoch, seq);
  }

  private withDocuments(
    standing: RoomStanding,
    lost?: Pick<RoomStart, 'reason' | 'lost'>,
  ): RoomStart | Missing {
    const { read } = this;
    const { epoch, seq } = standing.position;
    const isFresh = read && performance.now() - read.at <= DOCUMENTS_MS;
    if (!isFresh || read.position.epoch !== epoch) return 'documents';
    const { position, documents } = read;
    if (position.seq > seq) return 'truth';
    const entries = standing.history.since(position.seq);
    if (!entries) return 'documents';
    const start = startWith(standing, entries, { position, documents, recovered: !lost, ...lost });
    // A client that has to catch up from documents that old would soon be too far behind again.
    const isOld = seq - position.seq > this.options.historyEvents / 2;
    return start.more && isOld ? 'documents' : start;
  }
}

function startWith(
  { position }: RoomStanding,
  entries: readonly LogEntry[],
  start: Partial<RoomStart> = {},
): RoomStart {
  // A part that was read may go beyond the delivered entries.
  const known = entries.filter((entry) => lastSeq(entry) <= position.seq);
  const part = firstPart(known, PART_CHARACTERS);
  const first = part[0];
  const last = part.at(-1);
  return {
    position,
    recovered: true,
    ...start,
    missed: first ? position.seq + 1 - first.first : 0,
    entries: part,
    more: last !== undefined && lastSeq(last) < position.seq,
  };
}
