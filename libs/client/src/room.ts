import { Emitter, type Unsubscribe } from './emitter.js';
import { fromBody, WssError } from './errors.js';
import { dataOf, type Lane } from './lane.js';
import { type DocumentPatch, type DocumentView, LiveState } from './live-state.js';
import { Members, type MembersDelta, type MembersPage } from './members.js';
import { Pending, type Reply } from './requests.js';
import type { CommandOptions, DataOf, NameOf, ReplyOf, RoomPosition, RoomTypes } from './types.js';

/** An event of a room. */
export interface RoomEvent<Data = unknown> {
  readonly event: string;
  readonly data: Data;
  /** Its number in the room's log; absent for volatile events. */
  readonly seq?: number;
}

/** What was seen of a room can't be continued; documents have been replaced by the server's. */
export interface RoomReset {
  readonly reason: string;
  /** Numbers that were seen and do not exist any more. */
  readonly lost: { readonly from: number; readonly to: number } | null;
  readonly position: RoomPosition;
}

/** What a room needs of its client. */
export interface RoomContext {
  readonly name: string;
  readonly lane: Lane;
  /** Whether the server keeps a session for this client. */
  readonly numbered: boolean;
  isOpen(): boolean;
  /** Sends a frame in the room; `done` gets its reply, or nothing when the connection is lost first. */
  request(frame: object, done: (reply: Reply | undefined) => void): void;
  /** A command that is not numbered. */
  command(event: string, data: unknown, options: CommandOptions): Promise<unknown>;
  failed(error: WssError): void;
  /** Throws when too many commands wait for a connection. */
  ensureSpace(): void;
}

interface JoinReply extends RoomPosition {
  readonly recovered: boolean;
  readonly reason?: string;
  readonly lost?: { from: number; to: number };
  readonly documents?: Record<string, DocumentView>;
  readonly n?: number;
}

interface RoomFrame {
  readonly event: string;
  readonly data: unknown;
  readonly seq?: number;
  readonly patch?: Record<string, DocumentPatch>;
}

type Loose = {
  commands: Record<string, { data: unknown; reply: unknown }>;
  events: Record<string, unknown>;
  documents: Record<string, unknown>;
};

/**
 * A room that the client is in, or wants to be in: it is joined again after every reconnect, and goes on where it
 * stopped. Its events come in order and each once, or `reset` tells that they can't.
 */
export class Room<T extends RoomTypes = Loose> {
  /** Who is here, where the kind of room shows it. */
  readonly members: Members;

  private readonly byEvent = new Map<string, Emitter<RoomEvent<never>>>();
  private readonly all = new Emitter<RoomEvent>();
  private readonly resets = new Emitter<RoomReset>();
  private readonly states = new Map<string, LiveState>();
  private readonly reached = new Emitter<number>();
  private position?: RoomPosition;
  private wanted = false;
  private joined?: Pending<void>;
  private readingDocuments = false;

  constructor(private readonly context: RoomContext) {
    this.members = new Members(
      (after) =>
        context.command('$presence', after === undefined ? {} : { after }, {}) as Promise<MembersPage>,
    );
  }

  get name(): string {
    return this.context.name;
  }

  /** Joins; resolves when the server let us in. Everything else joins by itself. */
  join(options: CommandOptions = {}): Promise<void> {
    if (this.joined) return this.joined.promise;
    this.wanted = true;
    this.joined = new Pending<void>(options);
    this.joined.promise.catch(() => delete this.joined);
    if (this.context.isOpen()) this.sendJoin();
    return this.joined.promise;
  }

  /** Leaves; nothing more comes from the room. */
  async leave(): Promise<void> {
    this.wanted = false;
    delete this.joined;
    delete this.position;
    if (this.context.isOpen()) await this.context.command('$leave', {}, {});
  }

  /** Calls back for each event of a name, in the room's order. */
  on<E extends NameOf<T['events']>>(
    event: E,
    listener: (event: RoomEvent<T['events'][E]>) => void,
  ): Unsubscribe {
    this.ensureJoined();
    let emitter = this.byEvent.get(event);
    if (!emitter) this.byEvent.set(event, (emitter = new Emitter()));
    return (emitter as unknown as Emitter<RoomEvent<T['events'][E]>>).on(listener);
  }

  /** Every event from now on, in the room's order. */
  events(signal?: AbortSignal): AsyncGenerator<RoomEvent, void, void> {
    this.ensureJoined();
    return this.all.iterate(signal);
  }

  /** Calls back when what was seen of the room can't be continued. */
  onReset(listener: (reset: RoomReset) => void): Unsubscribe {
    return this.resets.on(listener);
  }

  /**
   * Sends a command; with a session it takes effect exactly once, through every reconnect. While a live copy is kept,
   * it resolves when the copy has reached the command's effect.
   * @throws WssError
   */
  async command<E extends NameOf<T['commands']>>(
    event: E,
    data: DataOf<T['commands'], E>,
    options: CommandOptions = {},
  ): Promise<ReplyOf<T['commands'], E>> {
    this.context.ensureSpace();
    this.ensureJoined();
    if (!this.context.numbered)
      return (await this.context.command(event, data, options)) as ReplyOf<T['commands'], E>;
    const reply = await this.context.lane.submit(event, data, options);
    const value = dataOf(reply) as ReplyOf<T['commands'], E>;
    if (this.states.size > 0 && reply.seq !== undefined) await this.reach(reply.seq);
    return value;
  }

  /** A live copy of a document. */
  state<D extends NameOf<T['documents']>>(document: D): LiveState<T['documents'][D]> {
    let state = this.states.get(document);
    if (!state) {
      this.states.set(document, (state = new LiveState()));
      // Documents come with a join; those of a room that is joined already have to be asked for.
      if (this.position && this.context.isOpen()) this.readDocuments();
      this.ensureJoined();
    }
    return state as LiveState<T['documents'][D]>;
  }

  /** The client has ended. */
  end(error: WssError): void {
    this.joined?.reject(error);
    delete this.joined;
  }

  /** The connection is open again. */
  opened(): void {
    if (this.wanted) this.sendJoin();
  }

  /** Takes a frame of this room. */
  frame(frame: RoomFrame): void {
    switch (frame.event) {
      case '$epoch':
        return this.onEpoch(frame.data as RoomPosition & { n?: number; durable?: number });
      case '$reset':
        return this.onReset_(frame.data as ResetFrame);
      case '$presence':
        return this.members.apply(frame.data as MembersDelta);
      default:
        return this.onEvent(frame);
    }
  }

  /** Joins on behalf of somebody who does not wait for it: a failure is reported as one of the client. */
  private ensureJoined(): void {
    if (!this.joined) this.join().catch((error: WssError) => this.context.failed(error));
  }

  private sendJoin(): void {
    // A copy that was never filled needs the documents, which come only without a position.
    const incomplete = [...this.states.values()].some(({ isRight }) => !isRight);
    const states = this.states.size;
    const data = { ...this.position, ...(states > 0 && { state: true }) };
    this.context.request({ event: '$join', data }, (reply) => {
      if (!reply || !this.wanted) return;
      if (reply.error) return this.joinFailed(fromBody(reply.error));
      this.onJoined(reply.data as JoinReply);
      if (this.states.size > states || (incomplete && this.states.size > 0)) this.readDocuments();
    });
  }

  private joinFailed(error: WssError): void {
    if (error.retry)
      return void setTimeout(() => this.context.isOpen() && this.opened(), 500 + Math.random() * 500);
    this.wanted = false;
    this.joined?.reject(error);
  }

  private onJoined(reply: JoinReply): void {
    const { epoch, seq, recovered, reason, lost, documents, n } = reply;
    const before = this.position;
    if (documents) this.replaceDocuments(documents, !recovered);
    if (!recovered) this.position = { epoch, seq };
    // What was missed follows; the position moves with it.
    else
      this.position = {
        epoch,
        seq: before ? Math.min(before.seq, seq) : documents ? seq : this.firstMissed(reply),
      };
    if (!recovered) this.resets.emit({ reason: reason!, lost: lost ?? null, position: this.position });
    if (n !== undefined) this.context.lane.survived(n);
    this.reached.emit(this.position.seq);
    this.members.stale();
    this.joined?.resolve();
    this.context.lane.pump();
  }

  private firstMissed({ seq, missed = 0 }: JoinReply & { missed?: number }): number {
    return seq - missed;
  }

  private onEpoch({ epoch, n, durable }: RoomPosition & { n?: number; durable?: number }): void {
    if (this.position) this.position = { epoch, seq: this.position.seq };
    if (n !== undefined) this.context.lane.survived(n);
    if (durable !== undefined) this.context.lane.durable(durable);
  }

  private onReset_({ reason, epoch, seq, lost, applied, documents }: ResetFrame): void {
    this.position = { epoch, seq };
    this.replaceDocuments(documents, true);
    this.resets.emit({ reason, lost, position: this.position });
    if (applied !== null) this.context.lane.survived(applied);
    this.reached.emit(seq);
  }

  private onEvent({ event, data, seq, patch }: RoomFrame): void {
    if (seq !== undefined) {
      this.applyPatches(patch, seq);
      if (this.position && seq <= this.position.seq) return;
      if (this.position) this.position = { epoch: this.position.epoch, seq };
    }
    const roomEvent = seq === undefined ? { event, data } : { event, data, seq };
    this.all.emit(roomEvent);
    this.byEvent.get(event)?.emit(roomEvent as RoomEvent<never>);
    if (seq !== undefined) this.reached.emit(seq);
  }

  private applyPatches(patch: Record<string, DocumentPatch> | undefined, seq: number): void {
    for (const [name, change] of Object.entries(patch ?? {})) {
      const state = this.states.get(name);
      if (state?.isRight && !state.patch(change, seq)) this.readDocuments();
    }
  }

  /** Joining again without a position brings the documents; events that were seen already are skipped by number. */
  private readDocuments(): void {
    if (this.readingDocuments) return;
    this.readingDocuments = true;
    this.context.request({ event: '$join', data: { state: true } }, (reply) => {
      this.readingDocuments = false;
      const documents = (reply?.data as JoinReply | undefined)?.documents;
      if (documents) this.replaceDocuments(documents, false);
    });
  }

  /** A copy that is right keeps its value, unless the room itself went back. */
  private replaceDocuments(documents: Record<string, DocumentView>, all: boolean): void {
    for (const [name, state] of this.states) {
      const view = Object.hasOwn(documents, name) ? documents[name] : undefined;
      if (view && (all || !state.isRight)) state.replace(view);
    }
  }

  private async reach(seq: number): Promise<void> {
    if (!this.position || this.position.seq >= seq) return;
    await new Promise<void>((resolve) => {
      const off = this.reached.on((at) => {
        if (at < seq) return;
        off();
        resolve();
      });
    });
  }
}

interface ResetFrame extends RoomPosition {
  readonly reason: string;
  readonly lost: { readonly from: number; readonly to: number } | null;
  readonly applied: number | null;
  readonly documents: Record<string, DocumentView>;
}
