import { Emitter, emitterOf, type Unsubscribe } from './emitter.js';
import { fromBody, WssError } from './errors.js';
import { Lane } from './lane.js';
import type { Link } from './link.js';
import { type DocumentPatch, type DocumentView, LiveState } from './live-state.js';
import { Members, type MembersDelta, type MembersPage } from './members.js';
import { dataOf, Pending, type Reply } from './requests.js';
import type {
  CommandOptions,
  DataOf,
  JoinOptions,
  NameOf,
  ReplyOf,
  RoomEvent,
  RoomPosition,
  RoomReset,
  RoomTypes,
} from './types.js';

interface JoinReply extends RoomPosition {
  readonly recovered: boolean;
  readonly missed: number;
  readonly reason?: string;
  readonly lost?: RoomReset['lost'];
  readonly documents?: Record<string, DocumentView>;
  readonly n?: number;
}

interface ResetFrame extends Omit<JoinReply, 'recovered' | 'missed' | 'n'> {
  readonly applied: number | null;
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
 * stopped. Its events come in order and each once, or {@link onReset} tells that they can't.
 */
export class Room<T extends RoomTypes = Loose> {
  /** Who is here, where the kind of room shows it. */
  readonly members: Members;

  /** @internal */
  readonly lane: Lane;

  private readonly byEvent = new Map<string, Emitter<never>>();
  private readonly all = new Emitter<RoomEvent>();
  private readonly resets = new Emitter<RoomReset>();
  private readonly copies = new Map<string, LiveState>();
  private readonly reached = new Emitter<number>();
  private at?: RoomPosition;
  private newest?: number;
  private isWanted = false;
  private entrance?: Pending<void>;
  private readingDocuments = false;

  /** @internal */
  constructor(
    readonly name: string,
    private readonly link: Link,
  ) {
    this.lane = new Lane(name, link);
    this.members = new Members((after) => this.request('$presence', { after }) as Promise<MembersPage>);
  }

  /**
   * Joins; resolves when the server let us in. Everything else joins by itself.
   * @throws WssError
   */
  join({ last, ...options }: JoinOptions = {}): Promise<void> {
    if (this.entrance) return this.entrance.promise;
    const entrance = new Pending<void>(options);
    this.entrance = entrance;
    this.isWanted = true;
    this.newest = last;
    entrance.promise.catch(() => {
      if (this.entrance === entrance) delete this.entrance;
    });
    if (this.link.isOpen) this.sendJoin();
    return entrance.promise;
  }

  /** Leaves; nothing more comes from the room. */
  async leave(): Promise<void> {
    this.isWanted = false;
    this.end(new WssError('closed', 'the room was left: join it again'));
    delete this.at;
    for (const state of this.copies.values()) state.isRight = false;
    if (this.link.isOpen) await this.request('$leave', {});
  }

  /** Calls back for each event of a name, in the room's order. */
  on<E extends NameOf<T['events']>>(
    event: E,
    listener: (event: RoomEvent<T['events'][E]>) => void,
  ): Unsubscribe {
    this.ensureJoined();
    return emitterOf<RoomEvent<T['events'][E]>>(this.byEvent, event).on(listener);
  }

  /** Every event from now on, in the room's order; ends with the client. */
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
    const { link, lane } = this;
    const copy = link.admit(data);
    this.ensureJoined();
    if (!link.hasSession) return (await this.request(event, copy.data, options)) as ReplyOf<T['commands'], E>;
    const reply = await lane.submit(event, copy, options);
    const value = dataOf(reply) as ReplyOf<T['commands'], E>;
    if (this.copies.size > 0 && reply.seq !== undefined) await this.reach(reply.seq);
    return value;
  }

  /** A live copy of a document; the same object for the same name. */
  state<D extends NameOf<T['documents']>>(document: D): LiveState<T['documents'][D]> {
    let state = this.copies.get(document);
    if (!state) {
      this.copies.set(document, (state = new LiveState()));
      // Documents come with a join; those of a room that is joined already have to be asked for.
      if (this.at && this.link.isOpen) this.readDocuments();
      this.ensureJoined();
    }
    return state as LiveState<T['documents'][D]>;
  }

  /**
   * The client has ended.
   * @internal
   */
  ended(error: WssError): void {
    this.lane.end(error);
    this.end(error);
    this.all.end();
    for (const state of this.copies.values()) state.end();
  }

  /**
   * The connection is open again.
   * @internal
   */
  opened(): void {
    if (this.isWanted) this.sendJoin();
  }

  /**
   * Takes a frame of this room.
   * @internal
   */
  frame(frame: RoomFrame): void {
    if (!this.isWanted) return;
    const { event, data } = frame;
    if (event === '$epoch') this.onEpoch(data as RoomPosition & { n?: number; durable?: number });
    else if (event === '$reset') {
      const { applied, ...reset } = data as ResetFrame;
      this.onStart({ ...reset, recovered: false, missed: 0, n: applied ?? undefined });
    } else if (event === '$presence') this.members.apply(data as MembersDelta);
    else this.onEvent(frame);
  }

  private end(error: WssError): void {
    this.entrance?.reject(error);
    delete this.entrance;
    this.reached.emit(Infinity);
  }

  /** Joins on behalf of somebody who does not wait for it: a failure is reported as one of the client. */
  private ensureJoined(): void {
    if (!this.entrance) {
      this.join().catch((error: WssError) => error.code === 'closed' || this.link.errors.emit(error));
    }
  }

  private ask(data: object, done: (reply: Reply | undefined) => void): void {
    this.link.ask({ event: '$join', room: this.name, data }, done);
  }

  private request(event: string, data: unknown, options?: CommandOptions): Promise<unknown> {
    return this.link.request({ event, room: this.name, data }, options);
  }

  private sendJoin(): void {
    const { newest: last, at, copies } = this;
    this.ask({ ...(at ?? { last }), state: copies.size > 0 }, (reply) => {
      if (!reply || !this.isWanted) return;
      if (reply.error) return this.joinFailed(fromBody(reply.error));
      this.onStart(reply.data as JoinReply);
      // Documents come only with a join without a position.
      if ([...copies.values()].some(({ isRight }) => !isRight)) this.readDocuments();
    });
  }

  private joinFailed(error: WssError): void {
    if (error.retry)
      return void setTimeout(() => this.link.isOpen && this.opened(), 500 + Math.random() * 500);
    this.isWanted = false;
    this.end(error);
  }

  /** The room begins, goes on, or starts anew: by the reply to a join, or by a reset. */
  private onStart({ epoch, seq, missed, recovered, reason, lost, documents, n }: JoinReply): void {
    const before = this.at?.seq ?? seq - missed;
    // What was missed follows; the position moves with it.
    this.at = { epoch, seq: recovered ? Math.min(before, seq) : seq };
    if (documents) this.replaceDocuments(documents, !recovered);
    if (!recovered) this.resets.emit({ reason: reason!, lost: lost ?? null, position: this.at });
    // Who waits for an event that is gone waits no more.
    this.reached.emit(recovered ? this.at.seq : Infinity);
    if (n !== undefined) this.lane.survived(n, epoch);
    this.members.stale();
    this.entrance?.resolve();
    this.lane.pump();
  }

  private onEpoch({ epoch, n, durable }: RoomPosition & { n?: number; durable?: number }): void {
    if (this.at) this.at = { epoch, seq: this.at.seq };
    if (n !== undefined) this.lane.survived(n, epoch);
    if (durable !== undefined) this.lane.durable(durable);
  }

  private onEvent({ event, data, seq, patch }: RoomFrame): void {
    if (seq !== undefined) {
      // Before the reply to a join, it is from a membership before.
      if (!this.at) return;
      this.applyPatches(patch, seq);
      if (seq <= this.at.seq) return;
      this.at = { epoch: this.at.epoch, seq };
    }
    const roomEvent = { event, data, seq };
    this.all.emit(roomEvent);
    this.byEvent.get(event)?.emit(roomEvent as never);
    if (seq !== undefined) this.reached.emit(seq);
  }

  private applyPatches(patch: Record<string, DocumentPatch> | undefined, seq: number): void {
    for (const [name, change] of Object.entries(patch ?? {})) {
      const state = this.copies.get(name);
      if (state?.isRight && !state.patch(change, seq)) this.readDocuments();
    }
  }

  /** Joining again without a position brings the documents; events that were seen already are skipped by number. */
  private readDocuments(): void {
    if (this.readingDocuments) return;
    this.readingDocuments = true;
    this.ask({ state: true }, (reply) => {
      this.readingDocuments = false;
      const documents = (reply?.data as JoinReply | undefined)?.documents;
      if (documents) this.replaceDocuments(documents, false);
    });
  }

  /** A copy that is right keeps its value, unless the room itself went back. */
  private replaceDocuments(documents: Record<string, DocumentView>, all: boolean): void {
    for (const [name, state] of this.copies) {
      const view = Object.hasOwn(documents, name) ? documents[name] : undefined;
      if (view && (all || !state.isRight)) state.replace(view);
    }
  }

  private async reach(seq: number): Promise<void> {
    if (!this.at || this.at.seq >= seq) return;
    await new Promise<void>((resolve) => {
      const off = this.reached.on((at) => {
        if (at < seq) return;
        off();
        resolve();
      });
    });
  }
}
