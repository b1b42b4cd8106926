import type { Attendance } from './attendance.js';
import { retryDelay } from '../time/backoff.js';
import { Timer } from '../time/clock.js';
import { Emitter, type Unsubscribe } from '../values/emitter.js';
import { fromBody, type WssError } from '../values/errors.js';
import type { Link } from '../connection/link.js';
import { NextTime } from '../connection/requests.js';

/** A user in a room. */
export interface Member {
  readonly user: string;
  readonly meta?: unknown;
}

/** A page of a room's members, or a change among them. */
export interface MembersPage {
  readonly version: number;
  readonly count: number;
  readonly users: readonly Member[];
  readonly next?: string;
}

/** A change among a room's members. */
export interface MembersDelta {
  readonly version: number;
  readonly joined: readonly Member[];
  readonly left: readonly string[];
}

/** @internal */
interface Reading {
  readonly found: Map<string, Member>;
  version: number;
}

/**
 * The users in a room: a list kept up to date by the server's deltas. It is read when it is first used, and again
 * after each join and each missed delta.
 */
export class Members {
  private readonly changes: Emitter<readonly Member[]>;
  private byUser = new Map<string, Member>();
  private at?: number;
  private wanted?: boolean;
  /** The read under way; another one takes its place when it is of no use any more. */
  private reading?: Reading;
  private attempts = 0;
  private readonly timer = new Timer();
  private late: MembersDelta[] = [];
  private readonly read = new NextTime();

  /** @internal */
  constructor(
    private readonly attendance: Attendance,
    private readonly link: Link,
    count: (change: number) => void,
  ) {
    this.changes = new Emitter(count);
  }

  /** All users who are known to be here; empty before {@link subscribe} or {@link refresh}. */
  get list(): readonly Member[] {
    return [...this.byUser.values()];
  }

  /** Calls back with the list now, if it is known, and after each change. Joins the room, if it is not joined yet. */
  subscribe(listener: (members: readonly Member[]) => void): Unsubscribe {
    if (this.at !== undefined) listener(this.list);
    else this.want();
    return this.changes.listen(listener);
  }

  /**
   * Reads the list again; the client also does so by itself when needed.
   * @throws WssError when it can't be read, e.g. `not_found` if the kind of room does not show who is in it
   */
  refresh(): Promise<void> {
    const { promise } = this.read;
    this.want();
    return this.link.handOut(promise);
  }

  /**
   * Takes a delta of the server.
   * @internal
   */
  apply(delta: MembersDelta): void {
    if (this.reading) this.late.push(delta);
    else if (delta.version > this.at! + 1) this.start();
    else if (delta.version > this.at!) this.change(delta);
  }

  /**
   * The room was joined: the missed changes are not known.
   * @internal
   */
  readAnew(): void {
    if (this.wanted) this.start();
  }

  /**
   * The room is not joined any more, or can't be read.
   * @internal
   */
  stop(error: WssError): void {
    this.timer.cancel();
    delete this.reading;
    delete this.at;
    this.read.fail(error);
  }

  private want(): void {
    const { over } = this.link;
    this.attendance.ensure();
    this.wanted = true;
    if (over) this.stop(over);
    else if (!this.reading && this.attendance.isIn) this.start();
  }

  /** Applies a delta. A user who came and went since the last one is in both lists. */
  private change({ version, joined, left }: MembersDelta): void {
    this.at = version;
    for (const member of joined) this.byUser.set(member.user, member);
    for (const user of left) this.byUser.delete(user);
    this.changes.emit(this.list);
  }

  private start(): void {
    this.timer.cancel();
    this.late = [];
    const reading: Reading = { found: new Map(), version: Infinity };
    this.reading = reading;
    this.readPage(reading);
  }

  /** Announcements up to the lowest version of the pages are in all of them. */
  private readPage(reading: Reading, next?: string): void {
    this.link.ask({ event: '$presence', room: this.attendance.name, data: { after: next } }, (reply) => {
      // Another read has taken its place, or a join will begin one.
      if (this.reading !== reading) return;
      if (!reply) return this.readLost();
      if (reply.error) return this.failed(fromBody(reply.error));
      const page = reply.data as MembersPage;
      reading.version = Math.min(reading.version, page.version);
      for (const member of page.users) reading.found.set(member.user, member);
      if (page.next !== undefined) this.readPage(reading, page.next);
      else this.finish(reading);
    });
  }

  /** With a connection it is asked again; without one, the next join does that. */
  private readLost(): void {
    if (this.attendance.isIn) this.start();
    else delete this.reading;
  }

  private failed(error: WssError): void {
    if (error.retry) {
      this.timer.schedule(retryDelay(this.attempts++, error), () => this.readLost());
      return;
    }
    if (!this.read.pending) this.link.errors.emit(error);
    this.wanted = false;
    this.stop(error);
  }

  private finish({ found, version }: Reading): void {
    this.attempts = 0;
    delete this.reading;
    this.byUser = found;
    this.at = version;
    this.changes.emit(this.list);
    this.read.fulfil();
    for (const delta of this.late) this.apply(delta);
  }
}
