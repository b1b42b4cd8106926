import type { Random } from '@wss/testing';
import type { VirtualClock } from './virtual-clock.js';

/** How likely faults are; nothing of them once `calm` is set. */
export interface Faults {
  calm: boolean;
}

interface Frame {
  readonly event: string;
  readonly id: number;
  readonly room?: string;
  readonly data: Record<string, unknown>;
  readonly n?: number;
}

interface Entry {
  readonly seq: number;
  readonly command: string;
  readonly base: number;
  readonly session: string;
  readonly n: number;
}

interface Room {
  epoch: number;
  log: Entry[];
  /** By session with numbered commands here: each command, and the position at which it took effect. */
  readonly recorded: Map<string, Map<number, { readonly command?: string; readonly seq: number }>>;
}

/** The client's end of a connection. */
export interface ClientEnd {
  readonly offered: readonly string[];
  protocol: string;
  onopen?: () => void;
  onmessage?: (message: { data: string }) => void;
  onclose?: (event: { code: number; reason: string }) => void;
}

interface Link {
  readonly end: ClientEnd;
  readonly session: string;
  /** Of the session. */
  readonly members: Set<string>;
  /** Rooms that were joined on this connection; the others are silent. */
  readonly following: Set<string>;
  open: boolean;
}

/** A server of ours with one user, whose log is a list of commands; what it sends is dropped, repeated and reordered. */
export class ScriptedServer {
  readonly rooms = new Map<string, Room>();
  private readonly sessions = new Map<string, Set<string>>();
  private link?: Link;
  private made = 0;
  /** Until then the storage is out of reach, and nothing is answered. */
  private downUntil = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly random: Random,
    private readonly faults: Faults,
  ) {}

  room(name: string): Room {
    let room = this.rooms.get(name);
    if (!room) this.rooms.set(name, (room = { epoch: 1, log: [], recorded: new Map() }));
    return room;
  }

  /** Rooms that the session is a member of. */
  get members(): string[] {
    return [...(this.link?.members ?? [])].toSorted();
  }

  connect(end: ClientEnd): void {
    if (this.chance(0.2)) return this.later(() => end.onclose?.({ code: 1006, reason: '' }));
    this.later(() => this.greet(end));
  }

  disconnect(end: ClientEnd): void {
    if (this.link?.end === end) this.cut();
  }

  /** The connection is lost at this moment; the code says whether for good. */
  cut(code = 1006): void {
    const { link } = this;
    if (!link) return;
    link.open = false;
    delete this.link;
    this.later(() => link.end.onclose?.({ code, reason: '' }));
  }

  receive(end: ClientEnd, text: string): void {
    const { link } = this;
    if (link?.end !== end) return;
    const frame = JSON.parse(text) as Frame;
    // In order, each after its own time on the way.
    this.clock.after(5, () => link.open && this.handle(link, frame));
  }

  /** The storage is out of reach for so long; what comes meanwhile is refused when that is over. */
  outage(ms: number): void {
    this.downUntil = this.clock.now + ms;
  }

  /** The newest events are lost, with the records of their commands. */
  rollBack(name: string): void {
    const room = this.room(name);
    const kept = this.random.below(room.log.length + 1);
    const lost = room.log.splice(kept);
    room.epoch++;
    for (const { session, n } of lost) {
      const recorded = room.recorded.get(session)!;
      // A number without an effect goes with those before it.
      for (const other of recorded.keys()) if (other >= n) recorded.delete(other);
    }
    const { link } = this;
    if (!link?.following.has(name)) return;
    const applied = this.highest(room, link.session) ?? null;
    const data = { ...this.position(room), reason: 'rolled_back', applied, documents: this.documents(room) };
    const range = lost.length > 0 ? { from: kept + 1, to: kept + lost.length } : null;
    this.send(link, { event: '$reset', room: name, data: { ...data, lost: range } });
  }

  private greet(end: ClientEnd): void {
    const token = end.offered.find((name) => name.startsWith('wss.resume.'))?.slice(11);
    const resumed = token !== undefined && this.sessions.has(token) && !this.chance(0.1);
    const session = resumed ? token : `s${++this.made}`;
    const members = this.sessions.get(session) ?? new Set<string>();
    this.sessions.set(session, members);
    this.cut();
    const link = (this.link = { end, session, members, following: new Set(), open: true });
    const rooms = [...members];
    end.protocol = 'wss.v1';
    end.onopen?.();
    const data = { session, token: session, resumed, client: 'c', user: 'u', rooms };
    this.send(link, { event: '$hello', data: { ...data, heartbeatMs: 25_000, maxFrameBytes: 65_536 } });
  }

  private handle(link: Link, frame: Frame): void {
    const { event, room: name, id } = frame;
    if (this.chance(0.02)) return this.cut();
    if (id === undefined) return;
    if (name === undefined) return this.send(link, { id, data: {} });
    const lateMs = this.downUntil - this.clock.now;
    if (lateMs > 0) return this.fail(link, id, 'unavailable', { lateMs });
    if (this.chance(0.08)) return this.fail(link, id, 'unavailable');
    if (event === '$join') return this.join(link, frame, name);
    if (event === '$leave') {
      link.members.delete(name);
      link.following.delete(name);
      return this.send(link, { id, data: {} });
    }
    if (event === '$presence')
      return this.send(link, { id, data: { version: 1, count: 1, users: [{ user: 'u' }] } });
    if (!link.members.has(name)) return this.fail(link, id, 'forbidden');
    this.command(link, frame, name);
  }

  private join(link: Link, { id, data }: Frame, name: string): void {
    const room = this.room(name);
    link.members.add(name);
    link.following.add(name);
    const { epoch, seq: from, state } = data as { epoch?: string; seq?: number; state?: boolean };
    const n = this.highest(room, link.session);
    const { log } = room;
    const goesOn = from === undefined || (epoch === String(room.epoch) && from <= log.length);
    const reply = { ...this.position(room), recovered: goesOn, missed: 0, ...(n !== undefined && { n }) };
    if (!goesOn) Object.assign(reply, { reason: 'unknown_epoch', documents: this.documents(room) });
    else if (from === undefined) Object.assign(reply, state ? { documents: this.documents(room) } : {});
    else Object.assign(reply, { missed: log.length - from });
    this.send(link, { id, data: reply });
    if (goesOn && from !== undefined) for (const entry of log.slice(from)) this.tell(link, name, entry);
  }

  private command(link: Link, { id, event, n, data }: Frame, name: string): void {
    const room = this.room(name);
    let recorded = room.recorded.get(link.session);
    if (!recorded) room.recorded.set(link.session, (recorded = new Map()));
    const known = recorded.get(n!);
    const place = { seq: known?.seq ?? room.log.length, epoch: String(room.epoch) };
    const command = data['command'] as string | undefined;
    if (known && command && known.command !== command) return this.fail(link, id, 'number_reused');
    if (known) return this.send(link, { id, data: {}, ...place, dup: true });
    const expected = (this.highest(room, link.session) ?? 0) + 1;
    if (n !== expected) return this.fail(link, id, 'out_of_order', { details: [{ expected }] });
    if (event === '$skip') {
      recorded.set(n, { seq: room.log.length });
      return this.send(link, { id, data: null, ...place });
    }
    const entry = { seq: room.log.length + 1, base: room.log.length, command: command! };
    room.log.push({ ...entry, session: link.session, n });
    recorded.set(n, { seq: entry.seq, command });
    // The command is done, and its sender does not learn of it.
    if (this.chance(0.05)) return this.cut();
    if (link.following.has(name)) this.tell(link, name, room.log.at(-1)!);
    if (this.chance(0.03)) return;
    this.send(link, { id, data: {}, ...place, seq: entry.seq });
  }

  private tell(link: Link, name: string, { seq, base, command }: Entry): void {
    const patch = { doc: { base, ops: [{ op: 'add', path: '/-', value: command }] } };
    const frame = { event: 'done', room: name, seq, data: { command }, patch };
    // Events of a history that a reset has ended do not come after the reset.
    const { epoch } = this.room(name);
    const isAsOf = (): boolean => this.room(name).epoch === epoch;
    if (this.chance(0.05)) return;
    this.send(link, frame, { lateMs: this.chance(0.05) ? 60 : 0, isAsOf });
    if (this.chance(0.05)) this.send(link, frame, { lateMs: 30, isAsOf });
  }

  private fail(
    link: Link,
    id: number,
    code: string,
    { details, lateMs }: { details?: object[]; lateMs?: number } = {},
  ): void {
    const retry = code === 'unavailable' || code === 'out_of_order';
    this.send(link, { id, error: { code, message: code, retry, details } }, { lateMs });
  }

  private send(link: Link, frame: object, { lateMs = 0, isAsOf = (): boolean => true } = {}): void {
    const data = JSON.stringify(frame);
    this.clock.after(5 + lateMs, () => link.open && isAsOf() && link.end.onmessage?.({ data }));
  }

  private position(room: Room): { epoch: string; seq: number } {
    return { epoch: String(room.epoch), seq: room.log.length };
  }

  /** The document is the list of all commands. */
  private documents({ log }: Room): object {
    return { doc: { version: log.length, value: log.map(({ command }) => command) } };
  }

  private highest(room: Room, session: string): number | undefined {
    const recorded = room.recorded.get(session);
    return recorded && Math.max(0, ...recorded.keys());
  }

  private later(work: () => void): void {
    this.clock.after(1 + this.random.below(40), work);
  }

  private chance(probability: number): boolean {
    return !this.faults.calm && this.random.next() < probability;
  }
}
