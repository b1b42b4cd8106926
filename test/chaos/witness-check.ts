import type { Additions } from './additions.js';
import type { FinalRoom, History, Logged, Operation, Rollback, Seen } from './history.js';

/** Largest number of violations of one kind that are reported. */
const SHOWN = 5;

/**
 * Checks a history against the order that the system claims: positions in answers and frames, and the log.
 *
 * The log is gap-free and free of repeats; every acknowledged addition is where its answer said; replaying the log
 * gives every answer; an operation that began after another one ended comes after it; each client saw the log, or was
 * told of the difference; what was declared lost was lost.
 *
 * @returns what is wrong, in words; empty when the history is right
 */
export function checkPositions(history: History, additions: Additions): string[] {
  const problems = history.items.flatMap((item) => (item.type === 'violation' ? [item.text] : []));
  for (const item of history.items) {
    if (item.type === 'room') problems.push(...new RoomWitness(history, item, additions).problems());
  }
  return problems;
}

interface Placed extends Logged {
  readonly client: string;
  readonly index: number;
}

/** The witness check of one room. */
class RoomWitness {
  private readonly placed: Placed[];
  private readonly values: number[];
  private readonly operations: Operation[];
  private readonly rollbacks: Rollback[];
  private readonly byKind = new Map<string, string[]>();

  constructor(
    private readonly history: History,
    private readonly final: FinalRoom,
    additions: Additions,
  ) {
    const whose = additions.read(final.log);
    this.placed = final.log.map((logged, i) => ({ ...logged, ...whose[i]! }));
    this.values = [0];
    for (const { by } of final.log) this.values.push(this.values.at(-1)! + by);
    const ofRoom = <T extends { room: string }>({ room }: T): boolean => room === final.room;
    this.operations = history.operations.filter(ofRoom);
    this.rollbacks = history.items.filter(
      (item): item is Rollback => item.type === 'rollback' && ofRoom(item),
    );
  }

  problems(): string[] {
    this.checkLog();
    this.checkDocument();
    this.checkEffects();
    for (const operation of this.operations) this.checkAnswer(operation);
    this.checkRealTime();
    this.checkDeliveries();
    return [...this.byKind].flatMap(([kind, texts]) => [
      ...texts.slice(0, SHOWN).map((text) => `${this.final.room}: ${kind}: ${text}`),
      ...(texts.length > SHOWN ? [`${this.final.room}: ${kind}: and ${texts.length - SHOWN} more`] : []),
    ]);
  }

  private report(kind: string, text: string): void {
    this.byKind.set(kind, [...(this.byKind.get(kind) ?? []), text]);
  }

  private checkLog(): void {
    this.placed.forEach(({ seq, value }, i) => {
      if (seq !== i + 1) this.report('gap or repeat in the log', `number ${seq} stands at place ${i + 1}`);
      if (value !== this.values[i + 1]) {
        this.report(
          'state differs from the log',
          `event ${seq} says ${value}, replay gives ${this.values[i + 1]}`,
        );
      }
    });
  }

  private checkDocument(): void {
    const { version, value } = this.final.document;
    if (version !== this.placed.length || value !== this.values.at(-1)) {
      const replayed = `${this.values.at(-1)} at ${this.placed.length}`;
      this.report(
        'state differs from the log',
        `the document is ${value} at ${version}, replay gives ${replayed}`,
      );
    }
  }

  /** Every effect is that of one command, and each client's take effect in the order of their numbers. */
  private checkEffects(): void {
    const known = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const id = `${operation.client}#${operation.index}`;
      known.set(id, [...(known.get(id) ?? []), operation]);
    }
    const failed = (id: string): boolean => !!known.get(id)?.every(({ error }) => error !== undefined);
    const last = new Map<string, number>();
    for (const { client, index, seq } of this.placed) {
      const attempts = known.get(`${client}#${index}`);
      let before = last.get(client) ?? 0;
      while (before + 1 < index && failed(`${client}#${before + 1}`)) before++;
      if (!attempts) this.report('effect without a command', `event ${seq} (${client}#${index})`);
      else if (failed(`${client}#${index}`)) {
        this.report(
          'effect of a command that was answered with an error',
          `event ${seq} (${client}#${index})`,
        );
      }
      if (index <= before) this.report('effect twice', `event ${seq} is ${client}#${index} again`);
      if (index > before + 1)
        this.report('effect out of order', `event ${seq} is ${client}#${index} after #${before}`);
      last.set(client, Math.max(index, before));
    }
  }

  private checkAnswer(operation: Operation): void {
    if (operation.value === undefined || operation.returned === undefined) return;
    if (operation.kind === 'read') return this.checkRead(operation);
    const { client, index, value, lost } = operation;
    const { epoch, seq } = operation.at!;
    const what = `${client}#${index} at ${seq}`;
    if (lost !== undefined) {
      if (this.survived(epoch, seq)) this.report('declared lost although it survived', `${what} (${lost})`);
      return;
    }
    const logged = this.placed[seq - 1];
    if (logged?.client !== client || logged.index !== index) {
      const found = this.placed.find((other) => other.client === client && other.index === index);
      this.report(
        'acknowledged but not there',
        `${what}; ${found ? `it is at ${found.seq}` : 'it is nowhere'}`,
      );
    } else if (value !== this.values[seq]) {
      this.report('wrong answer', `${what} answered ${value}, replay gives ${this.values[seq]}`);
    }
  }

  private checkRead(read: Operation): void {
    const { client, value, version } = read;
    if (this.isDead(read)) return this.history.count('reads of a history that was rolled back');
    if (value !== this.values[version!]) {
      const replayed = this.values[version!];
      this.report('wrong answer', `${client} read ${value} at ${version}, replay gives ${replayed}`);
    }
  }

  /** True if a read may have been served from a history that was cut before the version it saw. */
  private isDead({ called, version }: Operation): boolean {
    return isFromRollback(this.rollbacks, called, version!);
  }

  private survived(epoch: string, seq: number): boolean {
    const end = epoch === this.final.epoch ? this.placed.length : this.final.closed[epoch];
    return end !== undefined && seq <= end;
  }

  /** Checks that an operation begun after another one was answered comes after it. */
  private checkRealTime(): void {
    const done = this.operations
      .filter((o) => o.value !== undefined && o.lost === undefined && (o.kind === 'add' || !this.isDead(o)))
      .map((o) => ({ ...o, place: o.at?.seq ?? o.version! }));
    const byReturn = [...done].sort((a, b) => a.returned! - b.returned!);
    let ended = 0;
    let reached = 0;
    for (const operation of done.sort((a, b) => a.called - b.called)) {
      while (ended < byReturn.length && byReturn[ended]!.returned! < operation.called) {
        reached = Math.max(reached, byReturn[ended++]!.place);
      }
      const { kind, place, client } = operation;
      if (kind === 'add' ? place <= reached : place < reached) {
        this.report('against real time', `${client} ${kind} at ${place} began after ${reached} was answered`);
      }
    }
  }

  private checkDeliveries(): void {
    const views = new Map<string, Seen[]>();
    for (const item of this.history.items) {
      if (item.type !== 'seen' || item.room !== this.final.room) continue;
      views.set(item.client, [...(views.get(item.client) ?? []), item]);
    }
    for (const [client, seen] of views) this.checkView(client, seen);
  }

  private checkView(client: string, seen: readonly Seen[]): void {
    let position = 0;
    seen.forEach((item, index) => {
      const { what, seq } = item;
      if (what === 'start' || what === 'reset') position = seq;
      if (what === 'reset') this.checkSnapshot(client, item, () => seen.slice(index + 1));
      if (what === 'event') {
        if (seq !== position + 1)
          this.report('gap or repeat in what a client saw', `${client}: ${seq} after ${position}`);
        position = seq;
        this.checkEvent(client, item, () => seen.slice(index + 1));
      }
      if (what === 'end' && position !== this.placed.length) {
        this.report(
          'a client is behind',
          `${client} is at ${position}, the log ends at ${this.placed.length}`,
        );
      }
    });
  }

  private checkEvent(client: string, { seq, by, value }: Seen, later: () => readonly Seen[]): void {
    const logged = this.placed[seq - 1];
    if (logged?.by === by && logged?.value === value) return;
    if (later().some((item) => declaresLost(item, seq)))
      return this.history.count('events seen that were rolled back');
    this.report('a client saw what is not in the log', `${client}: event ${seq} added ${by} to ${value}`);
  }

  private checkSnapshot(client: string, { seq, snapshot }: Seen, later: () => readonly Seen[]): void {
    if (!snapshot || later().some((item) => declaresLost(item, seq))) return;
    const { version, value } = snapshot;
    if (value === this.values[version] && this.values[seq] === value) return;
    this.report('state differs from the log', `${client} got ${value} at ${version} with position ${seq}`);
  }
}

/** True if a client was told here that this event does not exist any more. */
function declaresLost({ what, reason, lost }: Seen, seq: number): boolean {
  if (what !== 'reset') return false;
  if (reason === 'unknown_epoch') return true;
  return reason === 'rolled_back' && !!lost && lost.from <= seq && seq <= lost.to;
}

/** True if a call made then may have been answered from a history that was cut before this number. */
export function isFromRollback(rollbacks: readonly Rollback[], called: number, seq: number): boolean {
  return rollbacks.some(({ at, end }) => called < at && seq > end);
}
