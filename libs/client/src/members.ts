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

/** Who is in a room: a list kept up to date by the server's deltas; a missed delta makes it be read anew. */
export class Members {
  private readonly changes = new Emitter<readonly Member[]>();
  private byUser = new Map<string, Member>();
  private at?: number;
  private reading?: Promise<void>;
  private late: MembersDelta[] = [];

  /** @internal */
  constructor(private readonly read: ReadMembers) {}

  /** Everybody who is known to be here. */
  get list(): readonly Member[] {
    return [...this.byUser.values()];
  }

  /** Calls back with the list now and after each change. */
  subscribe(listener: (members: readonly Member[]) => void): Unsubscribe {
    if (this.at === undefined) void this.refresh();
    else listener(this.list);
    return this.changes.on(listener);
  }

  /** Reads the list anew; it is also read by itself when that is needed. */
  refresh(): Promise<void> {
    return (this.reading ??= this.readAll().finally(() => delete this.reading));
  }

  /**
   * Takes a delta of the server.
   * @internal
   */
  apply(delta: MembersDelta): void {
    if (this.reading) this.late.push(delta);
    else if (delta.version > this.at! + 1) void this.refresh();
    else if (this.take(delta)) this.changes.emit(this.list);
  }

  /**
   * The connection was lost: what was missed is not known.
   * @internal
   */
  stale(): void {
    if (this.at !== undefined) void this.refresh();
  }

  private take({ version, joined, left }: MembersDelta): boolean {
    if (!(version > this.at!)) return false;
    this.at = version;
    for (const user of left) this.byUser.delete(user);
    for (const member of joined) this.byUser.set(member.user, member);
    return true;
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
      for (const delta of this.late) this.take(delta);
    } catch {
      // The room can't be asked now; the next delta or connection asks again.
    }
    this.late = [];
    this.changes.emit(this.list);
  }
}
