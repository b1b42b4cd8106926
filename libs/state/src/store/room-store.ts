import type { RateCharge, RoomGate } from '@wss/core';
import type { EncodedEvent, Ending, LogEntry, LostRange, Position, ResetReason } from '@wss/protocol';

/** A lane: the numbered commands of a session, or of a node, in one room. */
export interface CommitLane {
  readonly id: string;
  /** Commands of an older generation than the record's are refused. */
  readonly generation: number;
  /** When it ends by the engine's clock, ms since 1970: end of the session, or of a node's own lane. */
  readonly endsAt: number;
  /**
   * True for a node's own lane: it has no window, and its record lives from one commit to the next, beyond this end.
   */
  readonly ofNode?: boolean;
  /** Present for a key that takes effect once: its lane has the number 1 alone. */
  readonly once?: {
    /** Largest number of keys whose records the room keeps at a time; a further key is refused. */
    readonly most: number;
  };
}

/** A command's recorded answer. */
export type Outcome =
  /** It took effect; JSON of its result. */
  | { readonly kind: 'result'; readonly json: string }
  /** It took effect; its result is `{seq}`. */
  | { readonly kind: 'position' }
  /** It had no effect; JSON of the error body. */
  | { readonly kind: 'error'; readonly json: string }
  /** The number was given up without an effect. */
  | { readonly kind: 'skipped' };

/** One command's part of a commit. */
export interface CommitEntry {
  readonly lane: CommitLane;
  readonly n: number;
  /** Every reply up to this number has arrived; their records may be dropped. */
  readonly ack: number;
  /** Epoch of the lane's last reply as the sender knows it. */
  readonly epoch?: string;
  /** Fingerprint of event, data and user; another one under the same `n` is refused. */
  readonly fingerprint: string;
  /** Empty: the command is recorded without an effect. */
  readonly events: readonly EncodedEvent[];
  /** See {@link LogEntry.patch}. */
  readonly patch?: string;
  readonly outcome: Outcome;
  readonly counters?: readonly CounterOperation[];
  /**
   * Ends memberships (R38); the entry has one event then, and no patch and counters. If it deletes the room, all that
   * the room has goes, with what this commit writes, but for records of commands; the next life begins in a new epoch.
   */
  readonly ending?: Ending;
  /** Limits that it is charged to unless it repeats a number; it is refused if one of them is used up. */
  readonly charges?: readonly RateCharge[];
}

/** Adds to a bounded native counter; the whole entry is refused if the value would leave its bounds. */
export interface CounterOperation {
  readonly name: string;
  readonly by: number;
  readonly min?: number;
  readonly max?: number;
}

/** A document that a commit depends on, and perhaps changes. */
export interface DocumentWrite {
  readonly name: string;
  /** Full position of the commit that wrote the read version (R3); '' if it was never written. */
  readonly base: string;
  /** New JSON; absent when the document was only read. */
  readonly json?: string;
  /** Index of the entry that changed it last; its last event becomes the document's version. */
  readonly entry?: number;
}

/** One atomic step on one room. */
export interface CommitRequest {
  readonly room: string;
  readonly entries: readonly CommitEntry[];
  readonly documents: readonly DocumentWrite[];
  /** Least number of events that the log keeps, and for how long after the last one, ms. */
  readonly history: { readonly events: number; readonly ttlMs: number };
  /**
   * The room ends this long after its last commit, ms; 0: never. A room in which nothing was committed ends this long
   * after its making, at the latest after an hour.
   */
  readonly idleTtlMs: number;
  /**
   * This node, if it is to queue up while others write the room, too; it must listen to {@link
   * RoomStore.callChannel}.
   */
  readonly inQueue?: string;
  /** True: only judges; even a commit that could be written is answered with verdicts. */
  readonly judgeOnly?: boolean;
  /**
   * False if it has work that opens no new life of a deleted room: then nothing is written there but records.
   * Default true.
   */
  readonly opens?: boolean;
  /**
   * Position of the last ending of memberships that this node has applied in the room; default ''. If the room's is
   * another one, nothing is written (R38).
   */
  readonly gate?: string;
}

/** A stored document. */
export interface StoredDocument {
  /** `epoch:seq` of the commit that wrote it. */
  readonly position: string;
  readonly json: string;
}

/** The engine's record of a numbered command. */
export interface CommandRecord {
  readonly seq: number;
  readonly fingerprint: string;
  readonly outcome: Outcome;
}

/** The engine's answer to one entry of a commit that it did not write. */
export type Verdict =
  | { readonly kind: 'ok' }
  /** Applied before; without a record if its reply was acknowledged. */
  | { readonly kind: 'duplicate'; readonly record?: CommandRecord }
  | { readonly kind: 'reused' }
  | { readonly kind: 'out_of_order'; readonly expected: number }
  /** More than 32 replies are unacknowledged. */
  | { readonly kind: 'window' }
  /** The session or the lane is over, another connection has resumed the session, or the record is gone. */
  | { readonly kind: 'expired' }
  /** The same number occurs earlier in this commit; ask again after it. */
  | { readonly kind: 'later' }
  /** Its counter operation with this index, among those of the commit, would leave the bounds. */
  | { readonly kind: 'bound'; readonly operation: number }
  /** The limit of this name is used up; its number stays next. */
  | { readonly kind: 'limited'; readonly limit: string; readonly retryInMs: number }
  /** The room keeps the records of as many keys as it may; one of them ends then. */
  | { readonly kind: 'full'; readonly retryInMs: number };

/** How long a room in which nothing was committed is kept if its kind does not end, ms. */
export const UNUSED_MS = 3_600_000;

/** A part of a room in the engine. */
export type RoomPart = 'meta' | 'documents' | 'log' | 'counters';

/** The facts that a call found out about its room. */
export interface RoomFindings {
  /**
   * Parts that the engine had lost, reported by the call that declared the loss in a new epoch (R32); the other parts
   * are unchanged.
   */
  readonly lostParts?: readonly RoomPart[];
}

/** Everything was written, at once. */
export interface Committed extends RoomFindings {
  readonly status: 'committed';
  /** The room's position after the commit. */
  readonly position: Position;
  /** Sequence number of the last event of each entry; for one without events, the room's at that time. */
  readonly seqs: readonly number[];
  /** Results of the counter operations, in the order of the entries. */
  readonly counters: readonly number[];
  /** Number of nodes that are to write the room before this one does again. */
  readonly ahead: number;
  /** The history that Redis is on; a fence counts only on the same one. */
  readonly replicationId: string;
  /** A publication was refused, so that other nodes find the events only when they compare (R35). */
  readonly unheard?: true;
}

/** Nothing was written. */
export interface Judged extends RoomFindings {
  readonly status: 'judged';
  readonly position: Position;
  readonly verdicts: readonly Verdict[];
  /** True if a document was no longer at its base. */
  readonly conflict: boolean;
  /** Number of nodes that are to write the room before this one tries again; absent if it is not in the queue. */
  readonly ahead?: number;
  readonly replicationId: string;
  /** The present documents of the request; documents that were never written are missing. */
  readonly documents: ReadonlyMap<string, StoredDocument>;
  /** The room's gate, if it is not the one of the request. */
  readonly gate?: RoomGate;
  /** The room was deleted and not used since, and the commit has work that does not open its next life. */
  readonly isDeleted?: true;
}

export type CommitReply = Committed | Judged;

/** Limits of one read of a log. */
export interface PartLimits {
  readonly entries: number;
  /** Bytes of the stored entries; a single entry may have more. */
  readonly bytes: number;
}

/** Default limits of one read, so that requests behind it do not wait for long. */
export const READ_PART: PartLimits = { entries: 1_024, bytes: 65_536 };

/** A reader's request to a room. */
export interface ResumeRequest {
  readonly room: string;
  /** The reader's position; without it the answer starts at the live end. */
  readonly from?: Position;
  /** Without a position: events after this number, as far back as the log goes. */
  readonly after?: number;
  /** Without either: this many of the newest events, rounded up to whole commands. Default 0. */
  readonly newest?: number;
  /** Largest number of events to replay. Default 1,000. */
  readonly most?: number;
  /** Limits of the answer; the rest is read from the last entry on. Default {@link READ_PART}. */
  readonly limits?: PartLimits;
  /** True: documents are wanted if the entries reach the position. `ifLost`: only if `from` can't go on. */
  readonly documents?: boolean | 'ifLost';
  /** Lane whose highest number is wanted. */
  readonly lane?: string;
  /** As of {@link CommitRequest}, for a room that this call finds unused. */
  readonly idleTtlMs: number;
  /** True: members come, so the room is kept from its end in the same step, see {@link RoomStore.keep}. */
  readonly holds?: boolean;
  /**
   * True: reads beside commands, so that they do not wait behind the answer. The answer may come from a server that
   * was replaced: it counts only in the epoch that the room is known to be in.
   */
  readonly bulk?: boolean;
  /** Position of the last ending of memberships that the reader knows; default ''. */
  readonly gate?: string;
}

/** A closed epoch, and the last number that survived from it. */
export interface ClosedEpoch {
  readonly epoch: string;
  readonly end: number;
}

/** The state of a room for a reader. */
export interface ResumeReply extends RoomFindings {
  /** The room's position now. */
  readonly position: Position;
  /** The room's gate, if it is not the one of the request. */
  readonly gate?: RoomGate;
  /** The entries that the reader missed, in order, or the first part of them; empty when `reason` is set. */
  readonly entries: readonly LogEntry[];
  /**
   * True if the entries end before the position: the rest is to be read from there. The answer has no documents then.
   */
  readonly more: boolean;
  /** Set when the position can't be continued; the documents are the room's state at `position`. */
  readonly reason?: ResetReason;
  /** With `rolled_back`: the numbers that the reader saw and that no longer exist. */
  readonly lost?: LostRange;
  readonly documents: ReadonlyMap<string, StoredDocument>;
  /** The epochs before the current one, newest first, at most 64. */
  readonly lineage: readonly ClosedEpoch[];
  /** Highest number that the lane's surviving record holds; absent without a record. */
  readonly n?: number;
  readonly replicationId: string;
}

/** A request for a page of a room's log. */
export interface HistoryRequest {
  readonly room: string;
  /** Number of the event before which the page ends; default: it ends with the newest event. */
  readonly before?: number;
  /** Epoch from which the reader has that number; the page is empty if the room's history went on otherwise. */
  readonly epoch?: string;
  /** Most events of the page, unless a single command has more. */
  readonly events: number;
  /** Most bytes of the stored entries; a single entry may have more. */
  readonly bytes: number;
  /** As of {@link ResumeRequest}. */
  readonly idleTtlMs: number;
  /** As of {@link ResumeRequest}. */
  readonly bulk?: boolean;
}

/** A page of a room's log. */
export interface HistoryReply extends RoomFindings {
  /** The room's position now. */
  readonly position: Position;
  /** The room's gate, if memberships were ever ended. */
  readonly gate?: RoomGate;
  /**
   * Whole entries without a gap, oldest first; the last one has the last event of the page, and may have later ones.
   * Empty when `reason` is set.
   */
  readonly entries: readonly LogEntry[];
  /**
   * Number of the oldest event from which on the log has no gap up to the page; one more than the room's newest where
   * the log has none of these events.
   */
  readonly oldest: number;
  /** Set when the reader's number belongs to a history that the room did not go on with. */
  readonly reason?: 'rolled_back' | 'unknown_epoch';
  /** With `rolled_back`: the numbers before the reader's that no longer exist. */
  readonly lost?: LostRange;
}

/**
 * A room's position; undefined if it has to be resumed, because its history may have changed; `unreachable` if the
 * part of the engine that has it can't be asked.
 */
export type RoomTop = Position | 'unreachable' | undefined;

/**
 * Stores rooms: their log, documents, counters and records of commands.
 *
 * Every method is one round trip and atomic per room. Reads are linearizable with commits. A reply names only
 * epochs that are stored (R13).
 */
export abstract class RoomStore {
  /**
   * Writes all of a commit and publishes its events, or nothing.
   * @throws StoreError
   */
  abstract commit(request: CommitRequest): Promise<CommitReply>;

  /**
   * Reads a room's position and the entries since an older one, a part at a time.
   * @throws StoreError
   */
  abstract resume(request: ResumeRequest): Promise<ResumeReply>;

  /**
   * Reads a page of a room's log, backwards from a number.
   * @throws StoreError
   */
  abstract history(request: HistoryRequest): Promise<HistoryReply>;

  /**
   * Reads the positions of rooms, in one round trip.
   * @throws StoreError when none of them can be reached
   */
  abstract tops(rooms: readonly string[]): Promise<RoomTop[]>;

  /**
   * The highest recorded number of each lane in a room; undefined for one without a record.
   * @throws StoreError
   */
  abstract numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]>;

  /**
   * The clock of the room's server, ms since 1970.
   * @throws StoreError
   */
  abstract time(room: string): Promise<number>;

  /**
   * Resolves to true if everything written to the room on this history until now survives a failover (R19), to false if
   * that is not proven in time, ms, or the history has changed.
   */
  abstract durable(room: string, replicationId: string, withinMs: number): Promise<boolean>;

  /**
   * The channel on which a node in a room's writer queue is called, see `decodeWriterCall`. The queue only saves
   * useless attempts: a call may get lost, and a node that was not called may still write.
   */
  abstract callChannel(room: string, nodeId: string): string;

  /**
   * Leaves the writer queue of a room without a commit; the next node is called.
   * @throws StoreError
   */
  abstract leaveQueue(room: string, nodeId: string): Promise<void>;

  /**
   * Lets a room live this long from now by the engine's clock, ms; 0: as long as one of a kind that does not end
   * (R17). A room that has ended stays ended.
   * @throws StoreError
   */
  abstract keep(room: string, idleTtlMs: number): Promise<void>;
}
