import { Emitter, type Unsubscribe } from './emitter.js';

/** Somebody who is in a room. */
export interface Member {
  readonly user: string;
  readonly meta?: unknown;
}

/** A page of a room's members, or what changed among them. */
export interface MembersPage {
  readonly version: number;
  readonly count: number;
  readonly users: readonly Member[];
  readonly next?: string;
}

/** What changed among a room's members. */
export interface MembersDelta {
  readonly version: number;
  readonly joined: readonly Member[];
  readonly left: readonly string[];
}

/** Asks the server for a page of members. */
export type ReadMembers = (after: string | undefined) => Promise<MembersPage>;

/**
 * Who is in a room: a list kept up to date by the server's deltas. It is read when somebody asks for it, and anew
 * after each join and each delta that was missed.
 */
export class Members {
  private readonly changes = new Emitter<readonly Member[]>();
  private byUser = new Map<string, Member>();
  private at?: number;
  private wanted = false;
  private reading?: Promise<void>;
  private again = false;
  private late: MembersDelta[] = [];

  /** @internal */
  constructor(private readonly read: ReadMembers) {}

  /** Everybody who is known to be here; nobody before {@link subscribe} or {@link refresh}. */
  get list(): readonly Member[] {
    return [...this.byUser.values()];
  }

  /** Calls back with the list now, if it is known, and after each change. The room has to be joined as well. */
  subscribe(listener: (members: readonly Member[]) => void): Unsubscribe {
    if (this.at === undefined) void this.refresh();
    else listener(this.list);
    return this.changes.on(listener);
  }

  /** Reads the list anew; it is also read by itself when that is needed. */
  refresh(): Promise<void> {
    this.wanted = true;
    return (this.reading ??= this.readAll().finally(() => this.readingDone()));
  }

  /**
   * Takes a delta of the server.
   * @internal
   */
  apply(delta: MembersDelta): void {
    if (this.reading) this.late.push(delta);
    else if (delta.version > this.at! + 1) void this.refresh();
    else if (delta.version > this.at!) this.take(delta);
  }

  /**
   * The room was joined: what was missed is not known.
   * @internal
   */
  stale(): void {
    if (this.reading) this.again = true;
    else if (this.wanted) void this.refresh();
  }

  /** Who came and went since the last delta is in both lists. */
  private take({ version, joined, left }: MembersDelta): void {
    this.at = version;
    for (const member of joined) this.byUser.set(member.user, member);
    for (const user of left) this.byUser.delete(user);
    this.changes.emit(this.list);
  }

  private async readAll(): Promise<void> {
    try {
      const found = new Map<string, Member>();
      let first: MembersPage | undefined;
      let next: string | undefined;
      do {
        const page = await this.read(next);
        first ??= page;
        for (const member of page.users) found.set(member.user, member);
        next = page.next;
      } while (next !== undefined);
      this.byUser = found;
      this.at = first.version;
      this.changes.emit(this.list);
    } catch {
      // The room can't be asked now; it is asked when it has been joined.
    }
  }

  private readingDone(): void {
    const { late, again } = this;
    delete this.reading;
    this.late = [];
    this.again = false;
    for (const delta of late) this.apply(delta);
    if (again) void this.refresh();
  }
}
