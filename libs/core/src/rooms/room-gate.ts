import type { Ending, Position } from '@wss/protocol';

/** Largest number of endings that a room lists; `room_gate.lua` has the same. */
const MOST_ENDINGS = 64;
/** Before every position. */
const NOWHERE = '0.0';

/** An ending and the position at which it took effect. */
export interface ListedEnding extends Ending {
  /** See {@link gatePosition}. */
  readonly at: string;
}

/** An ending, and its place in the room's log. */
export type LoggedEnding = Ending & Position;

/** A member, or the sender of a command. */
export interface GateMember {
  readonly user: string;
  readonly session?: string | undefined;
}

/**
 * The endings of memberships of a room: the position of the last one, which a commit must know, and the newest
 * ending of each user and session (R38). Its text is what the engine stores; `room_gate.lua` is its twin.
 *
 * The list is bounded. Its floor is the position up to which endings have been dropped from it: of a membership from
 * before it, which no listed ending ended, nobody knows whether it has ended.
 */
export class RoomGate {
  /** The gate of a room in which no membership was ever ended. */
  static readonly OPEN = new RoomGate('', NOWHERE, []);

  private constructor(
    /** Position of the last ending; '' if there is none. */
    readonly at: string,
    private readonly floor: string,
    /** Oldest first. */
    readonly endings: readonly ListedEnding[],
  ) {}

  /**
   * Reads what the engine stores.
   * @param at position of the last ending, '' or '-' for none
   */
  static read(at: string, list: string): RoomGate {
    if (at === '' || at === '-') return RoomGate.OPEN;
    const [floor = NOWHERE, ...lines] = list.split('\n');
    const endings = lines.map((line) => {
      const tab = line.indexOf('\t');
      return { at: line.slice(0, tab), ...decodeEnding(line.slice(tab + 1)) };
    });
    return new RoomGate(at, floor || NOWHERE, endings);
  }

  /** The list as the engine stores it. */
  get list(): string {
    return [this.floor, ...this.endings.map((ending) => `${ending.at}\t${encodeEnding(ending)}`)].join('\n');
  }

  /** The gate after a further ending. One that it knows already changes nothing. */
  with(ending: Ending, at: string): RoomGate {
    if (!isLater(at, this.at)) return this;
    const target = targetOf(ending);
    const ofAll = target.startsWith('*');
    // A closing replaces all but a deletion, which may have to be told from it; a deletion replaces all.
    const others = this.endings.filter((known) =>
      ofAll ? !ending.deleted && known.deleted : targetOf(known) !== target,
    );
    const floor = ofAll ? NOWHERE : this.floor;
    const endings = [...others, { ...ending, at }];
    if (endings.length <= MOST_ENDINGS) return new RoomGate(at, floor, endings);
    return new RoomGate(at, endings[0]!.at, endings.slice(1));
  }

  /**
   * The ending that ended a membership.
   * @param since position from which on the membership holds; '' if it is not known
   * @returns `unknown` if the list does not reach back to it
   */
  endOf({ user, session }: GateMember, since: string): ListedEnding | 'unknown' | undefined {
    const from = since === '' ? NOWHERE : since;
    for (let i = this.endings.length - 1; i >= 0; i--) {
      const ending = this.endings[i]!;
      if (!isLater(ending.at, from)) break;
      if (ends(ending, { user, session })) return ending;
    }
    return isLater(this.floor, from) ? 'unknown' : undefined;
  }

  /** The listed endings behind a position, oldest first. */
  after(at: string): readonly ListedEnding[] {
    return this.endings.filter((ending) => isLater(ending.at, at));
  }

  /** True if the room was deleted behind a position. */
  deletedSince(at: string): boolean {
    return this.after(at).some(({ deleted }) => deleted);
  }

  /** True if an ending that took effect at a position, or a later one for the same members, is or was in the list. */
  lists(ending: Ending, at: string): boolean {
    if (!isLater(at, this.floor)) return true;
    const targets = new Set(ending.deleted ? ['*d'] : ['*', '*d', targetOf(ending)]);
    return this.endings.some((known) => targets.has(targetOf(known)) && !isLater(at, known.at));
  }
}

/** True if an ending ends the memberships of this member. */
export function ends(ending: Ending, { user, session }: GateMember): boolean {
  if (ending.user !== undefined) return ending.user === user;
  return ending.session === undefined || ending.session === session;
}

/**
 * A position in the form in which endings and memberships are compared: `<number of the epoch>.<sequence number>`. Both
 * only grow, through losses of history too.
 */
export function gatePosition({ epoch, seq }: { readonly epoch: string; readonly seq: number }): string {
  return `${Number.parseInt(epoch, 10)}.${seq}`;
}

/**
 * The place of a listed ending in the room's log.
 * @param epoch that of the reader
 */
export function loggedEnding({ at, ...ending }: ListedEnding, epoch: string): LoggedEnding {
  return { ...ending, epoch, seq: Number(at.slice(at.indexOf('.') + 1)) };
}

/** Encodes the part of a log entry that ends memberships: target, tab, reason. */
export function encodeEnding(ending: Ending): string {
  return `${targetOf(ending)}\t${JSON.stringify(ending.reason)}`;
}

/** Decodes the part of a log entry that ends memberships. */
export function decodeEnding(text: string): Ending {
  const tab = text.indexOf('\t');
  const reason = JSON.parse(text.slice(tab + 1)) as string;
  if (text.startsWith('*')) return text.startsWith('*d') ? { reason, deleted: true } : { reason };
  const name = JSON.parse(text.slice(1, tab)) as string;
  return text.startsWith('u') ? { user: name, reason } : { session: name, reason };
}

function targetOf({ user, session, deleted }: Ending): string {
  if (deleted) return '*d';
  if (user !== undefined) return `u${JSON.stringify(user)}`;
  return session === undefined ? '*' : `s${JSON.stringify(session)}`;
}

/** True if one position is behind another; '' is before all. */
function isLater(a: string, b: string): boolean {
  if (b === '') return a !== '';
  const [x, y] = [a.split('.').map(Number), b.split('.').map(Number)];
  return x[0]! > y[0]! || (x[0] === y[0] && x[1]! > y[1]!);
}
