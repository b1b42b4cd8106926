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
  private version?: number;
  private reading?: Promise<void>;
  private pending: MembersDelta[] = [];

  constructor(private readonly read: ReadMembers) {}

  /** Everybody who is known to be here. */
  get list(): readonly Member[] {
    return [...this.byUser.values()];
  }

  /** Calls back with the list now and after each change. */
  subscribe(listener: (members: readonly Member[]) => void): Unsubscribe {
    if (this.version === undefined) void this.refresh();
    else listener(this.list);
    return this.changes.on(listener);
  }

  /** Reads the list anew; it is also read by itself when that is needed. */
  refresh(): Promise<void> {
    return (this.reading ??= this.readAll().finally(() => delete this.reading));
  }

  /** Takes a delta of the server. */
  apply(delta: MembersDelta): void {
    if (this.reading) return void this.pending.push(delta);
    if (this.version === undefined || delta.version <= this.version) return;
    if (delta.version > this.version + 1) return void this.refresh();
    this.take(delta);
    this.changes.emit(this.list);
  }

  /** The connection was lost: what was missed is not known. */
  stale(): void {
    if (this.version !== undefined) void this.refresh();
  }

  private take({ version, joined, left }: MembersDelta): void {
    this.version = version;
    for (const user of left) this.byUser.delete(user);
    for (const member of joined) this.byUser.set(member.user, member);
  }

  private async readAll(): Promise<void> {
    try {
      const found = new Map<string, Member>();
      let version: number | undefined;
      let after: string | undefined;
      do {
        const page: MembersPage = await this.read(after);
        version ??= page.version;
        for (const member of page.users) found.set(member.user, member);
        after = page.next;
      } while (after !== undefined);
      this.byUser = found;
      this.version = version!;
      for (const delta of this.pending) if (delta.version > this.version) this.take(delta);
    } catch {
      // The room can't be asked now; the next delta or connection asks again.
    }
    this.pending = [];
    this.changes.emit(this.list);
  }
}
