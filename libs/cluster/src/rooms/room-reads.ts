import { Slots } from '@wss/core';
import type { Position } from '@wss/protocol';
import type { ResumeReply, ResumeRequest } from '@wss/state';
import { ReadParts } from './read-parts.js';
import { SharedCall } from './shared-call.js';

/** Most parts that a node reads at a time for clients that begin. */
const PARTS_AT_ONCE = 8;
/** Most rooms at a time that a node brings up to date for those who are in them. */
const REPAIRS_AT_ONCE = 8;

/** State that all reads of a node share. */
export class NodeReads {
  readonly parts = new ReadParts();
  readonly beginning = new Slots(PARTS_AT_ONCE);
  readonly repairing = new Slots(REPAIRS_AT_ONCE);
}

/** Where the room stood when something was read of it. */
export interface ReadOutcome {
  readonly position: Position;
  /** Number of the oldest event that the log had, if that is younger than what was asked for. */
  readonly oldest?: number;
}

/** Reads rooms; how long they live is known to it. */
export interface RoomReader {
  readonly resume: (request: Omit<ResumeRequest, 'idleTtlMs'>) => Promise<ResumeReply>;
}

/** Shares the reads of a room: one part at a time is read of it, for all that wait for it. */
export class RoomReads {
  private readonly waiting = new Set<{ readonly seq: number }>();
  private outcome?: ReadOutcome;
  private readonly reading = new SharedCall(() => this.readNext());

  constructor(
    private readonly room: string,
    private readonly store: RoomReader,
    private readonly node: NodeReads,
  ) {}

  /**
   * Reads the part of the log that follows an event, so that it is at hand when this resolves; unless the log does
   * not reach back to it, or the room is elsewhere than those who ask think.
   * @throws StoreError
   */
  async read(seq: number, signal?: AbortSignal): Promise<ReadOutcome> {
    const place = { seq };
    // Nothing is read for a caller that does not wait any more.
    const leave = (): void => void this.waiting.delete(place);
    this.waiting.add(place);
    signal?.addEventListener('abort', leave, { once: true });
    try {
      for (;;) {
        await this.reading.run();
        signal?.throwIfAborted();
        const { position, oldest = 0 } = this.outcome!;
        const isAtHand = this.node.parts.find(this.room, position.epoch, seq) !== undefined;
        if (isAtHand || oldest > seq + 1 || position.seq <= seq) return this.outcome!;
      }
    } finally {
      signal?.removeEventListener('abort', leave);
      leave();
    }
  }

  /** Reads the room's documents, beside commands as well. */
  documents(): Promise<ResumeReply> {
    return this.node.beginning.run(() => this.store.resume({ room: this.room, documents: true, bulk: true }));
  }

  private async readNext(): Promise<void> {
    await this.node.beginning.run(async () => {
      // The one that waits longest. Everybody may have given up while other rooms had their turns.
      const [first] = this.waiting;
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
