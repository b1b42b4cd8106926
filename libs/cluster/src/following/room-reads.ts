import { Slots } from '@wss/core';
import type { Position } from '@wss/protocol';
import type { ResumeReply, ResumeRequest } from '@wss/state';
import { ReadParts } from './read-parts.js';
import { SharedCall } from './shared-call.js';
import { WaitingList } from './waiting-list.js';

/** Largest number of parts that a node reads at a time for clients that begin. */
const PARTS_AT_ONCE = 8;
/** Largest number of rooms that a node brings up to date at a time for their members. */
const REPAIRS_AT_ONCE = 8;

/** State that all reads of a node share. */
export class NodeReads {
  readonly parts = new ReadParts();
  readonly beginning = new Slots(PARTS_AT_ONCE);
  readonly repairing = new Slots(REPAIRS_AT_ONCE);
}

/** The room's position at the time of a read. */
export interface ReadOutcome {
  readonly position: Position;
  /** Number of the oldest event that the log had, if it is younger than the requested one. */
  readonly oldest?: number;
}

/** Reads rooms, and knows how long they live. */
export interface RoomReader {
  readonly resume: (request: Omit<ResumeRequest, 'idleTtlMs'>) => Promise<ResumeReply>;
}

/** Shares the reads of a room: one part at a time, for all clients that wait for it. */
export class RoomReads {
  private readonly waiting = new WaitingList<{ readonly seq: number }>();
  private readonly waitingForDocuments = new WaitingList();
  private outcome?: ReadOutcome;
  private readonly reading = new SharedCall(() => this.readNext());

  constructor(
    private readonly room: string,
    private readonly store: RoomReader,
    private readonly node: NodeReads,
  ) {}

  /**
   * Reads the part of the log that follows an event, so that it is at hand when this resolves; unless the log does
   * not reach back to it, or the room is in another epoch than the callers think.
   * @throws StoreError
   */
  async read(seq: number, signal?: AbortSignal): Promise<ReadOutcome> {
    return this.waiting.during({ seq }, signal, async () => {
      for (;;) {
        await this.reading.run();
        signal?.throwIfAborted();
        const { position, oldest = 0 } = this.outcome!;
        const isAtHand = this.node.parts.find(this.room, position.epoch, seq) !== undefined;
        if (isAtHand || oldest > seq + 1 || position.seq <= seq) return this.outcome!;
      }
    });
  }

  /**
   * Waits for documents that `shared` reads for all callers.
   * @throws StoreError
   */
  async forDocuments(shared: SharedCall, signal?: AbortSignal): Promise<void> {
    await this.waitingForDocuments.during({}, signal, () => shared.run());
    signal?.throwIfAborted();
  }

  /** Reads the room's documents, beside commands as well; undefined if nobody waits for them any more. */
  documents(): Promise<ResumeReply | undefined> {
    return this.node.beginning.run(async () => {
      if (!this.waitingForDocuments.first) return undefined;
      return this.store.resume({ room: this.room, documents: true, bulk: true });
    });
  }

  private async readNext(): Promise<void> {
    await this.node.beginning.run(async () => {
      // The caller that waits longest; all may have given up while other rooms were read.
      const { first } = this.waiting;
      if (first) this.outcome = await this.readAfter(first.seq);
    });
  }

  private async readAfter(seq: number): Promise<ReadOutcome> {
    const { room, store, node } = this;
    const { position, entries } = await store.resume({ room, after: seq, bulk: true });
    const oldest = entries[0]?.first ?? position.seq + 1;
    const after = Math.max(seq, oldest - 1);
    if (entries.length > 0) node.parts.add({ room, epoch: position.epoch, after, entries });
    return { position, ...(oldest > seq + 1 && { oldest }) };
  }
}
