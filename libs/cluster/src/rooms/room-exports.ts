import { setImmediate } from 'node:timers/promises';
import { GatewayError, withReadErrors } from '@wss/core';
import type { DocumentView, Ending, LogEntry, Position } from '@wss/protocol';
import { type ClosedEpoch, type Committer, type RoomStore, seqOf } from '@wss/state';

/** Events of one read of the log, unless a single command has more. */
const PAGE_EVENTS = 500;
/** Bytes of one read of the log as they are stored; a single command may have more. */
const PAGE_BYTES = 65_536;

/** An event of an exported room. */
export interface ExportedEvent {
  readonly seq: number;
  readonly event: string;
  readonly data: unknown;
  /** Set for the end of memberships: the user or session concerned, or neither for everybody; and the reason. */
  readonly ending?: Ending;
}

/** A room as it was at one position. */
export interface ExportedRoom {
  readonly room: string;
  /** Documents and events are the room's at this position. */
  readonly position: Position;
  /** The epochs before its epoch, newest first, at most 64. */
  readonly lineage: readonly ClosedEpoch[];
  /** Documents by name, as they are stored; those that were never written are missing. */
  readonly documents: Readonly<Record<string, DocumentView>>;
  /**
   * Events up to the position, newest first, without a gap, as far back as the log goes: a log that begins behind
   * number 1 was trimmed. Each iteration reads anew, some 64 KiB at a time, beside commands.
   * @throws GatewayError `conflict` if the room did not go on with this history, because it was deleted, has ended or
   * lost its newest events: export it again; `unavailable`
   */
  readonly events: AsyncIterable<ExportedEvent>;
}

/** Reads rooms as a whole. */
export class RoomExports {
  constructor(
    private readonly store: Pick<RoomStore, 'resume' | 'history'>,
    private readonly committer: Pick<Committer, 'limitsOf'>,
  ) {}

  /** @throws GatewayError `not_found` for an undeclared kind of room, `unavailable` */
  async of(room: string): Promise<ExportedRoom> {
    const { idleTtlMs } = this.committer.limitsOf(room);
    const { position, lineage, documents } = await withReadErrors(() =>
      this.store.resume({ room, documents: true, idleTtlMs }),
    );
    const views = [...documents].map(([name, { position: at, json }]): [string, DocumentView] => [
      name,
      { version: seqOf(at), value: JSON.parse(json) },
    ]);
    const events = { [Symbol.asyncIterator]: () => this.eventsTo(room, position) };
    return { room, position, lineage, documents: Object.fromEntries(views), events };
  }

  private async *eventsTo(room: string, { epoch, seq }: Position): AsyncGenerator<ExportedEvent, void, void> {
    const { idleTtlMs } = this.committer.limitsOf(room);
    const request = { room, epoch, events: PAGE_EVENTS, bytes: PAGE_BYTES, idleTtlMs, bulk: true };
    let before = seq + 1;
    while (before > 1) {
      const query = { ...request, before };
      const page = await withReadErrors(() => this.store.history(query));
      if (page.reason) throw wentOnOtherwise(room);
      // Pages have whole commands, so that no event comes twice.
      const events = page.entries.flatMap(eventsOf).reverse();
      yield* events;
      const first = events.at(-1)?.seq ?? 0;
      if (first <= page.oldest) return;
      before = first;
      // On memory nothing else would have its turn before the end of the log.
      await setImmediate();
    }
  }
}

function wentOnOtherwise(room: string): GatewayError {
  return new GatewayError(
    'conflict',
    `${room} did not go on with the history that was exported; export it again`,
  );
}

function eventsOf({ first, events, ending }: LogEntry): ExportedEvent[] {
  return events.map(({ event, data }, index) => ({
    seq: first + index,
    event: JSON.parse(event) as string,
    data: JSON.parse(data) as unknown,
    // An entry that ends memberships has one event.
    ...(ending && { ending }),
  }));
}
