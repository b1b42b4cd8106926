import type { DocumentView } from '@wss/protocol';
import { Attendance, type StartFrame } from './attendance.js';
import { emplace, Emitter, type Unsubscribe } from '../values/emitter.js';
import { WssError } from '../values/errors.js';
import { Lane } from './lane.js';
import type { Link } from '../connection/link.js';
import { type DocumentPatch, LiveState } from './live-state.js';
import { Members, type MembersDelta } from './members.js';
import { dataOf, Pending } from '../connection/requests.js';
import type {
  CommandOptions,
  DataOf,
  JoinOptions,
  NameOf,
  ReplyOf,
  RoomEvent,
  RoomPosition,
  RoomReset,
  RoomStatus,
  RoomTypes,
} from '../values/types.js';

interface ResetFrame extends StartFrame {
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
 *
 * A room that was left costs nothing once nobody refers to it and no listener is left in it.
 */
export class Room<T extends RoomTypes = Loose> {
  /** The users in the room, where the kind of room shows them. */
  readonly members: Members;

  /** @internal */
  readonly attendance: Attendance;
  /** @internal */
  readonly lane: Lane;

  private readonly byEvent = new Map<string, Emitter<never>>();
  private readonly all: Emitter<RoomEvent>;
  private readonly resets: Emitter<RoomReset>;
  private readonly copies = new Map<string, LiveState>();
  private readonly reached = new Emitter<number>();
  private listeners = 0;

  /** @internal */
  constructor(
    readonly name: string,
    private readonly link: Link,
    private readonly onChange: (room: Room) => void,
  ) {
    this.all = new Emitter(this.counted);
    this.resets = new Emitter(this.counted);
    this.attendance = new Attendance(name, link, this, this.counted);
    this.lane = new Lane(this.attendance, link);
    this.members = new Members(this.attendance, link, this.counted);
  }

  /** The present state of the room, with its reason. */
  get status(): RoomStatus {
    return this.attendance.progress.current;
  }

  /** The last event that was seen; undefined until the room was joined. It is where the room goes on from. */
  get position(): RoomPosition | undefined {
    return this.attendance.at;
  }

  /** Calls back whenever the status changes. */
  onStatus(listener: (status: RoomStatus) => void): Unsubscribe {
    return this.attendance.progress.listen(listener);
  }

  /**
   * Joins; resolves when the server has let us in, at once if it has already. Everything else joins by itself. When
   * the time is over, only the waiting ends: the room stays wanted until {@link leave}.
   * @throws WssError `forbidden`, `not_found` and others when we are refused; then the room is left
   */
  join(options: JoinOptions = {}): Promise<void> {
    return this.link.handOut(this.attendance.enter(options));
  }

  /**
   * Sets the user's meta that others see here, at most 1,024 bytes of JSON; resolves when the server has it. Before a
   * join it is kept for the join. If a user has several clients, the newest one counts.
   * @throws WssError `too_large`, `invalid` when it is not a JSON object
   */
  setMeta(meta: object): Promise<void> {
    return this.link.handOut(this.attendance.setMeta(meta));
  }

  /**
   * Leaves the room: no event comes any more, and commands that wait to be sent fail as `closed`. Resolves when the
   * server knows; without a connection at once, and the server is told later. Never rejects. Listeners stay, and are
   * called again after the next join.
   */
  leave(): Promise<void> {
    return this.attendance.depart();
  }

  /** Calls back for each event of a name, in the room's order. */
  on<E extends NameOf<T['events']>>(
    event: E,
    listener: (event: RoomEvent<T['events'][E]>) => void,
  ): Unsubscribe {
    this.attendance.ensure();
    const emitter: Emitter<never> = emplace(this.byEvent, event, () => new Emitter(this.counted));
    return emitter.listen(listener);
  }

  /** Every event from now on, in the room's order; ends with the client. */
  events(signal?: AbortSignal): AsyncGenerator<RoomEvent, void, void> {
    this.attendance.ensure();
    return this.all.iterate(this.link.wire.progress, signal);
  }

  /** Calls back when the events seen so far can't be continued. */
  onReset(listener: (reset: RoomReset) => void): Unsubscribe {
    return this.resets.listen(listener);
  }

  /**
   * Sends a command; with a session it takes effect exactly once, through every reconnect. While a live copy is kept,
   * it resolves when the copy has reached the command's effect, or the command's time is over.
   * @throws WssError
   */
  command<E extends NameOf<T['commands']>>(
    event: E,
    data: DataOf<T['commands'], E>,
    options: CommandOptions = {},
  ): Promise<ReplyOf<T['commands'], E>> {
    return this.link.handOut(this.carryOut(event, data, options)) as Promise<ReplyOf<T['commands'], E>>;
  }

  /** A live copy of a document; the same object for the same name. */
  state<D extends NameOf<T['documents']>>(document: D): LiveState<T['documents'][D]> {
    const { link, attendance, copies, counted } = this;
    attendance.ensure();
    const state = emplace(copies, document, () => new LiveState(this, link, counted));
    if (link.over) state.fail(link.over);
    return state as LiveState<T['documents'][D]>;
  }

  /**
   * True if the room has to be kept: it is wanted, a request is under way, or a listener is left.
   * @internal
   */
  get isInUse(): boolean | undefined {
    return this.attendance.isBusy || this.listeners > 0 || this.lane.isBusy;
  }

  /** @internal */
  get hasCopies(): boolean {
    return this.copies.size > 0;
  }

  /** @internal */
  get lacksDocuments(): boolean {
    return [...this.copies.values()].some(({ lack }) => lack === true);
  }

  /** @internal */
  changed(): void {
    this.onChange(this as unknown as Room);
    if (this.attendance.isIn && !this.lacksDocuments) this.reached.emit(this.attendance.at!.seq);
  }

  /** @internal */
  mustRead(isAnew?: boolean): void {
    for (const state of this.copies.values()) {
      state.lack = true;
      if (isAnew) state.view.version = 0;
    }
  }

  /** @internal */
  started(start: StartFrame, isReset: boolean): void {
    const { epoch, seq, reason, lost, documents, n } = start;
    if (documents) this.documentsRead(documents);
    if (isReset) {
      this.resets.emit({ reason: reason!, lost: lost ?? null, position: { epoch, seq } });
      // Ends every wait for an event that does not exist any more.
      this.reached.emit(Infinity);
    }
    this.lane.survived(n, epoch);
    this.members.readAnew();
    this.lane.pump();
  }

  /** @internal */
  documentsFailed(error: WssError): void {
    for (const state of this.copies.values()) if (state.lack) state.fail(error);
  }

  /**
   * A copy that is right keeps its value.
   * @internal
   */
  documentsRead(documents: Record<string, DocumentView>): void {
    for (const [name, state] of this.copies) {
      const view = Object.hasOwn(documents, name) && documents[name];
      if (!state.lack) continue;
      if (view) state.become(view);
      else state.fail(new WssError('not_found', `no document ${name}`));
    }
  }

  /** @internal */
  stopped(error: WssError): void {
    this.lane.drop(error);
    this.reached.emit(Infinity);
    this.members.stop(error);
    for (const state of this.copies.values()) state.fail(error);
  }

  /**
   * The client has ended.
   * @internal
   */
  ended(error: WssError): void {
    this.attendance.over(error);
    this.lane.end();
  }

  /**
   * Takes a frame of this room.
   * @internal
   */
  frame(frame: RoomFrame): void {
    const { attendance } = this;
    if (!attendance.at) return;
    const { event, data } = frame;
    if (event === '$epoch') this.onEpoch(data as RoomPosition & { n?: number; durable?: number });
    else if (event === '$presence') this.members.apply(data as MembersDelta);
    else if (event === '$reset') {
      const reset = data as ResetFrame;
      if (attendance.isIn) attendance.begin({ ...reset, n: reset.applied ?? undefined }, true);
    } else if (event === '$removed') attendance.over(new WssError('forbidden', (data as RoomReset).reason));
    else this.onEvent(frame);
  }

  private async carryOut(event: string, data: unknown, options: CommandOptions): Promise<unknown> {
    const { link, name: room } = this;
    if (!link.wire.hasSession) return link.command({ event, room }, data, options);
    const copy = link.admit(data);
    this.attendance.ensure();
    const reply = await this.lane.submit(event, copy, options);
    const value = dataOf(reply);
    if (this.hasCopies && reply.seq !== undefined) await this.reach(reply.seq, options);
    return value;
  }

  private readonly counted = (change: number): void => {
    this.listeners += change;
    this.changed();
  };

  private onEpoch({ epoch, n, durable = 0 }: RoomPosition & { n?: number; durable?: number }): void {
    const { attendance } = this;
    attendance.at = { epoch, seq: attendance.at!.seq };
    this.lane.survived(n, epoch);
    this.lane.replicated(durable);
  }

  private onEvent({ event, data, seq, patch }: RoomFrame): void {
    const { attendance } = this;
    const isLogged = seq !== undefined;
    // A repeated event is not emitted again, but its patch may be news to a copy.
    const isNext = !isLogged || attendance.takes(seq);
    if (isLogged && attendance.isIn) this.applyPatches(patch, seq);
    if (!isNext) return;
    const roomEvent = { event, data, seq };
    this.all.emit(roomEvent);
    this.byEvent.get(event)?.emit(roomEvent as never);
    if (isLogged) attendance.caughtUp();
  }

  private applyPatches(patch: Record<string, DocumentPatch> | undefined, seq: number): void {
    for (const [name, change] of Object.entries(patch ?? {})) {
      const state = this.copies.get(name);
      if (state?.lack === false) state.follow(change, seq);
    }
    this.attendance.sync();
  }

  /** An event comes before the reply or after it; the command's time bounds the wait. */
  private async reach(seq: number, options: CommandOptions): Promise<void> {
    if ((this.attendance.at?.seq ?? Infinity) >= seq && !this.lacksDocuments) return;
    const pending = new Pending<void>(options);
    const off = this.reached.listen((at) => at >= seq && pending.fulfil());
    await pending.promise.catch(() => undefined);
    off();
  }
}
