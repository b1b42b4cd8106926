import type { DocumentView } from '@wss/protocol';
import { retryDelay } from '../time/backoff.js';
import { Timer } from '../time/clock.js';
import { Changing } from '../values/emitter.js';
import { fromBody, WssError } from '../values/errors.js';
import type { Link } from '../connection/link.js';
import { NextTime, Pending, snapshot } from '../connection/requests.js';
import type { JoinOptions, RoomPosition, RoomReset, RoomStatus } from '../values/types.js';

/** From where a room goes on: the reply to `$join`, and `$reset`. */
export interface StartFrame extends RoomPosition {
  readonly recovered?: boolean;
  readonly missed?: number;
  readonly reason?: string;
  readonly lost?: RoomReset['lost'];
  readonly documents?: Record<string, DocumentView>;
  readonly n?: number;
}

/**
 * Listener to the changes of a membership.
 * @internal
 */
export interface AttendanceListener {
  /** True if live copies are kept, so that changes of documents have to come with their events. */
  readonly hasCopies: boolean;
  /** True if documents have to be read. */
  readonly lacksDocuments: boolean;
  /** Documents have to be read; in a room that has begun anew they may be of any version. */
  mustRead(isAnew?: boolean): void;
  /** The room begins, goes on, or (a reset) starts anew. */
  started(start: StartFrame, isReset: boolean): void;
  /** Documents were read. */
  documentsRead(documents: Record<string, DocumentView>): void;
  /** Documents can't be read. */
  documentsFailed(error: WssError): void;
  /** Nothing more comes: it was left, was refused, or the client has ended. */
  stopped(error: WssError): void;
  /** Called when {@link Attendance.isBusy} may have changed. */
  changed(): void;
}

/** Most bytes of the user's meta, as JSON. */
const MOST_META = 1_024;
/**
 * A caller that waits for a join.
 * @internal
 */
interface Entrance {
  readonly answer: Pending<void>;
  /** The meta that others see from then on. */
  readonly meta?: object;
}

/** After so many joins that brought nothing, the room starts anew. */
const MOST_GAPS = 2;

/**
 * Our membership in one room. It sends one request at a time until the server's state matches the wanted one, and
 * again after every reconnect. It knows which event is the next.
 * @internal
 */
export class Attendance {
  readonly progress: Changing<RoomStatus>;
  at?: RoomPosition;
  /** Where an earlier visit ended: what was seen then is not told again, unless older events are asked for. */
  private seen?: RoomPosition;
  /** True if the server has let us in on this connection, and its events continue our position. */
  isIn?: boolean;

  /** The server may count us among the members. */
  mayBeIn?: boolean;
  private isAsking?: boolean;
  private readonly timer = new Timer();
  private attempts = 0;
  /** Joins since the last event that were made because events are missing. */
  private gaps = 0;
  /** We are behind until this event. */
  private target = 0;
  private newest?: number;
  private about?: object;
  /** The meta that the server has. */
  private told?: object;
  private entrances: Entrance[] = [];
  private readonly departed = new NextTime();

  constructor(
    readonly name: string,
    private readonly link: Link,
    private readonly room: AttendanceListener,
    count: (change: number) => void,
  ) {
    this.progress = new Changing<RoomStatus>({ state: 'left' }, link.settings.debug, count);
  }

  get isWanted(): boolean {
    return this.progress.current.state !== 'left';
  }

  /** True if something is wanted or under way. */
  get isBusy(): boolean | undefined {
    return this.isWanted || this.mayBeIn || this.isAsking;
  }

  async enter({ last, meta, ...options }: JoinOptions): Promise<void> {
    if (meta) this.keepMeta(meta);
    this.link.wire.end.throwIfAborted();
    this.want(last);
    if (this.isIn && (!meta || this.hasToldMeta)) return;
    const answer = new Pending<void>(options);
    if (this.isAsking) answer.sent();
    this.entrances = this.entrances.filter((entrance) => !entrance.answer.settled);
    this.entrances.push({ answer, meta });
    this.sync();
    await answer.promise;
  }

  async setMeta(meta: object): Promise<void> {
    this.link.wire.end.throwIfAborted();
    this.keepMeta(meta);
    if (this.isWanted) await this.enter({ meta });
  }

  /** Joins, or asks for what is lacking, without a waiting caller: a failure is reported as one of the client. */
  ensure(): void {
    if (this.link.over) return;
    this.want();
    this.sync();
  }

  depart(): Promise<void> {
    const { promise } = this.departed;
    if (this.isWanted) this.stop(new WssError('closed', 'left'));
    this.sync();
    // Without a connection it is said when there is one again.
    if (!this.mayBeIn || !this.link.wire.isReady) this.departed.fulfil();
    return promise;
  }

  /** The connection is gone. */
  disconnected(): void {
    this.timer.cancel();
    this.isIn = false;
    if (this.at) this.progress.become({ state: 'catching up', reason: 'reconnect' });
    this.departed.fulfil();
  }

  /** The client has ended, or our membership. */
  over(error: WssError): void {
    this.gone();
    if (this.isWanted) this.stop(error);
  }

  /** True if this is the next event. A repeat is not; where one is missing, we join again from where we were. */
  takes(seq: number): boolean | undefined {
    const { at, isIn } = this;
    if (!isIn || seq <= at!.seq) return false;
    if (seq > at!.seq + 1) this.gap();
    else this.at = { ...at!, seq };
    if (this.isIn) this.gaps = 0;
    return this.isIn;
  }

  /** Called after an event was delivered. */
  caughtUp(): void {
    if (!this.isCaughtUp) return;
    if (this.progress.current.state !== 'live') this.progress.become({ state: 'live' });
    if (!this.hasToldMeta) this.sync();
  }

  private get isCaughtUp(): boolean | undefined {
    return this.isIn && this.at!.seq >= this.target;
  }

  private get hasToldMeta(): boolean {
    return this.told === this.about;
  }

  /** Asks the server for the wanted state, unless it is so already, when all that is wanted now was said. */
  sync(): void {
    this.room.changed();
    queueMicrotask(() => this.askForMore());
  }

  private askForMore(): void {
    if (this.isAsking || this.timer.isSet || !this.link.wire.isReady) return;
    const { isWanted } = this;
    if (!isWanted && this.mayBeIn) this.ask('$leave', {}, () => this.gone());
    else if (isWanted && (!this.isIn || (this.isCaughtUp && !this.hasToldMeta))) this.sendJoin();
    else if (this.room.lacksDocuments) this.askJoin({ state: true }, (start) => this.haveDocuments(start));
    else this.attempts = 0;
  }

  /** Keeps the user's meta for the next join, which is due when the room has caught up. */
  private keepMeta(meta: object): void {
    const { data } = snapshot(meta ?? 0, MOST_META);
    if (Object(data) !== data || Array.isArray(data)) throw new WssError('invalid', 'meta');
    this.about = data as object;
  }

  private want(last?: number): void {
    this.newest = last ?? this.newest;
    if (last) this.seen = { ...this.seen!, seq: 0 };
    if (this.isWanted) return;
    this.gaps = 0;
    this.room.mustRead();
    this.progress.become({ state: 'joining' });
  }

  private sendJoin(): void {
    const { at, newest: last, room } = this;
    const isAnew = this.gaps > MOST_GAPS;
    const from = isAnew ? {} : (at ?? { last });
    // Documents take the place of the newest events, so they are read afterwards.
    const state = room.hasCopies && (at !== undefined || !last);
    this.mayBeIn = true;
    this.isIn = false;
    this.askJoin({ ...from, state }, (start) => {
      this.begin(isAnew ? { ...start, reason: 'gap' } : start, isAnew || !start.recovered);
    });
  }

  private askJoin(data: object, done: (start: StartFrame) => void): void {
    for (const { answer } of this.entrances) answer.sent();
    const { about } = this;
    this.ask('$join', { ...data, meta: about }, (start) => {
      this.told = about;
      done(start as StartFrame);
      if (this.isIn) this.letIn(({ fulfil }) => fulfil());
    });
  }

  private ask(event: string, data: object, done: (data: unknown) => void): void {
    this.isAsking = true;
    this.link.ask({ event, room: this.name, data }, (reply) => {
      this.isAsking = false;
      if (reply?.error) this.failed(fromBody(reply.error), event);
      else if (reply) done(reply.data);
      this.sync();
    });
  }

  private failed(error: WssError, event: string): void {
    if (error.retry) {
      if (this.progress.current.state === 'joining') this.progress.become({ state: 'joining', error });
      return this.wait(this.attempts++, error);
    }
    if (event === '$leave' || !this.isWanted) return this.gone();
    if (!this.letIn(({ fail }) => fail(error))) this.link.errors.emit(error);
    if (!this.isIn) {
      const { at, hasToldMeta } = this;
      this.about = this.told;
      // The meta may be the reason: with the one before it, the room goes on.
      if (at && !hasToldMeta) return;
      // Where we were let in before, the server still counts us among the members.
      if (!at) this.gone();
      return this.stop(error);
    }
    // Documents can't be had; the membership stays.
    this.room.documentsFailed(error);
  }

  /** The room begins, goes on, or starts anew (a reset): by the reply to a join, or by `$reset`. */
  begin(start: StartFrame, isReset: boolean): void {
    if (!this.isWanted) return;
    const { epoch, seq, missed = 0, documents } = start;
    const known = this.at ?? (this.seen?.epoch === epoch ? this.seen : undefined);
    if (isReset || !known) this.room.mustRead(true);
    const before = this.at?.seq ?? Math.max(known?.seq ?? 0, documents ? seq : seq - missed);
    this.isIn = true;
    this.target = documents ? 0 : seq;
    // The missed events follow; the position moves with them.
    this.at = { epoch, seq: isReset ? seq : before };
    // A start that leaves a gap, or goes back, breaks the server's promise.
    if (!isReset && !documents && (seq < before || missed < seq - before)) return this.gap();
    if (isReset) this.progress.become({ state: 'reset', reason: start.reason! });
    this.room.started(start, isReset);
    if (this.at.seq < seq)
      this.progress.become({ state: 'catching up', reason: this.gaps ? 'gap' : 'reconnect' });
    else this.caughtUp();
    this.departed.fulfil();
  }

  /** They are as of a moment that may lie before our position; then the changes since follow. */
  private haveDocuments({ documents, epoch, seq }: StartFrame): void {
    const { at } = this;
    if (!this.isIn) return;
    if (epoch !== at!.epoch || seq > at!.seq) return this.gap();
    if (documents) this.room.documentsRead(documents);
    else this.wait(this.attempts++);
  }

  /** Events are missing: until a join has brought them, those that come are dropped. */
  private gap(): void {
    this.isIn = false;
    this.gaps++;
    this.progress.become({ state: this.gaps > MOST_GAPS ? 'reset' : 'catching up', reason: 'gap' });
    if (this.gaps > 1) this.wait(this.gaps);
    this.sync();
  }

  private wait(attempts: number, error?: WssError): void {
    this.timer.schedule(retryDelay(attempts, error), () => this.sync());
  }

  private gone(): void {
    this.mayBeIn = false;
    this.departed.fulfil();
  }

  private stop(error: WssError): void {
    this.timer.cancel();
    this.isIn = false;
    this.seen = this.at ?? this.seen;
    delete this.at;
    delete this.newest;
    this.progress.become({ state: 'left', error: error.code === 'closed' ? undefined : error });
    this.letIn(({ fail }) => fail(error));
    this.room.stopped(error);
  }

  /** Settles the waiting callers, except those whose meta was not sent yet; returns true if there are any of these. */
  private letIn(how: (answer: Pending<void>) => void): boolean {
    let isAny = false;
    for (const entrance of this.entrances.splice(0)) {
      const { answer, meta } = entrance;
      if (this.isIn && meta && !this.hasToldMeta) {
        this.entrances.push(entrance);
        continue;
      }
      isAny ||= !answer.settled;
      how(answer);
    }
    return isAny;
  }
}
