import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { PresenceChanges } from './presence-changes.js';
import {
  MAX_PRESENCE_CHANGES,
  type PresenceAnnounced,
  type PresenceEnter,
  type PresenceStore,
} from './presence-store.js';

/** The part of a node that a room needs. */
export interface PresenceHost {
  /** The node's present incarnation. */
  readonly owner: string;
  /** True if the node is certainly not taken for dead; entries are added only then. */
  readonly alive: boolean;
  /** Present shortest pause between two announcements of a room, ms. */
  readonly pauseMs: number;
  /** This incarnation was taken for dead. */
  refused(owner: string): void;
  /** These owners have entries in the room. */
  sawOwners(room: AttendedRoom, owners: readonly string[]): void;
  /** The room needs no more work. */
  detached(room: AttendedRoom): void;
}

/** Times of a room's presence, ms. */
export interface PresenceTimes {
  /** How long a user whose last client was cut off counts as present. Default 5,000; less than 60,000. */
  readonly graceMs: number;
  /** Shortest pause between two announcements of one room; longer on a node with many clients. Default 250. */
  readonly pauseMs: number;
  /** How long a room is attended after the last client of this node left it. Default: the grace, 5,000 at most. */
  readonly lingerMs: number;
  /** How often a node compares its entries with those in the engine. Default 60,000. */
  readonly reconcileMs: number;
}

/**
 * Longest random wait before an announcement is requested, so that nodes whose links came back together do not all
 * ask, ms.
 */
const MISSED_MS = 1_000;
/** Least pause before an announcement that was refused is followed by another one, ms; a random part is added. */
const REFUSED_MS = 2_000;

type Step = () => Promise<void>;

/**
 * One room as this node looks after it: what its clients do there is brought to the engine in order, through
 * outages, many changes in one call; and what is to be announced later is announced in time.
 *
 * It works at one thing at a time. The next step follows from what it knows, so a step that failed is simply
 * taken again.
 */
export class AttendedRoom {
  private readonly logger = new Logger('Presence');
  private readonly changes = new PresenceChanges();
  private readonly tasks: Step[] = [];
  private settling: (() => void)[] = [];
  private working = false;
  private sending = false;
  private sentLast = false;
  private closed = false;
  private timer?: NodeJS.Timeout;
  /** Owner whose list of rooms holds this one. */
  private listedFor?: string;
  /** Owner whose list may hold it: the answer to a call may have been lost. */
  private mayBeListedFor?: string;
  private dueAt = Infinity;
  /** Announcements before then may have been missed, until a later one shows it; ms on this process' steady clock. */
  private missedUntil?: number;
  private reconcileAt: number;
  private usedAt = performance.now();

  constructor(
    readonly room: string,
    private readonly store: PresenceStore,
    private readonly host: PresenceHost,
    private readonly times: PresenceTimes,
  ) {
    this.reconcileAt = this.nextReconcile();
  }

  /** A client of this node came; returns true if it was not here. */
  enter(entry: PresenceEnter): boolean {
    const { clients } = this.changes;
    if (this.changes.enter(entry)) this.wake();
    return this.changes.clients > clients;
  }

  /** A client of this node left; returns true if it was here. */
  leave(client: string, graceMs: number): boolean {
    const left = this.changes.leave(client, graceMs);
    if (left) this.wake();
    return left;
  }

  /** True if one of these users has a client of this node here. */
  hasAnyOf(users: ReadonlySet<string>): boolean {
    return this.changes.hasAnyOf(users);
  }

  /** Compares with the engine soon: its history may have changed. */
  reconcile(): void {
    this.reconcileAt = 0;
    this.wake();
  }

  /**
   * Requests another announcement after an interruption: its version tells clients to read the list again if they
   * missed one.
   */
  heardAgain(): void {
    if (this.changes.clients === 0) return;
    this.missedUntil = performance.now();
    this.dueAt = Math.min(this.dueAt, this.missedUntil + MISSED_MS * Math.random());
    this.wake();
  }

  /** Sends everything to the engine again, for a new incarnation. */
  startAgain(): void {
    this.changes.startAgain();
    this.wake();
  }

  /** Takes the steps that had to wait, as far as possible. */
  wake(): void {
    if (this.working || this.closed) return;
    this.working = true;
    clearTimeout(this.timer);
    void this.work();
  }

  /** Takes a dead owner's entries out of the room, after this node's own clients have been brought in. */
  sweep(owner: string, goneAt: number): Promise<void> {
    return this.inTurn(() => this.sweepAll(owner, goneAt));
  }

  /** Runs a task behind what this node's own clients did. */
  private inTurn<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.tasks.push(() => task().then(resolve, reject));
      this.wake();
    });
  }

  /**
   * Ends the grace period of a user in the room, or of all for ''.
   * @returns true if the user has entries
   */
  endGrace(user: string): Promise<boolean> {
    return this.inTurn(async () => {
      const { owner, pauseMs } = this.host;
      await this.list(owner);
      const { room } = this;
      const updated = await this.store.update({ room, owner, changes: [], pauseMs, withoutGrace: user });
      if (updated.status === 'dead') return true;
      this.callAgain(updated);
      return updated.isHere === true;
    });
  }

  /** Takes a user's entries out of the room, those of certain owners other than this node. */
  takeOut(user: string, isOf: (owner: string) => boolean): Promise<void> {
    return this.inTurn(async () => {
      const { room, host } = this;
      const { owners } = await this.store.inspect(room, host.owner);
      for (const owner of owners) {
        if (owner === host.owner || !isOf(owner)) continue;
        const { entries } = await this.store.inspect(room, owner);
        const changes = [...entries].flatMap(([client, of]) => (of === user ? { client, graceMs: 0 } : []));
        for (let from = 0; from < changes.length; from += MAX_PRESENCE_CHANGES) {
          const part = changes.slice(from, from + MAX_PRESENCE_CHANGES);
          const updated = await this.store.update({ room, owner, changes: part, pauseMs: host.pauseMs });
          if (updated.status === 'done') this.callAgain(updated);
        }
      }
    });
  }

  /** Resolves when the engine knows everything that happened up to now. */
  settled(): Promise<void> {
    if (this.changes.size === 0 && !this.sending) return Promise.resolve();
    return new Promise((resolve) => this.settling.push(resolve));
  }

  /** Stops at once; waiting changes stay undone. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async work(): Promise<void> {
    let failures = 0;
    for (let step = this.nextStep(); step && !this.closed; step = this.nextStep()) {
      try {
        await step();
        failures = 0;
      } catch (error) {
        if (failures === 0) this.logger.debug(`presence in ${this.room} waits: ${(error as Error).message}`);
        await delay(Math.min(1_000, 50 * 2 ** failures++) * (0.5 + Math.random()), undefined, { ref: false });
      }
    }
    this.working = false;
    if (this.closed) return;
    const pause = this.nextTime() - performance.now() + 1;
    this.timer = setTimeout(() => this.wake(), Math.max(1, pause)).unref();
  }

  /** Changes come first, but after each call one other step is taken: a busy room never runs out of changes. */
  private nextStep(): Step | undefined {
    const now = performance.now();
    const sends = this.changes.has(!this.host.alive) || now >= this.dueAt;
    const other = sends && !this.sentLast ? undefined : this.otherStep(now);
    this.sentLast = !other && sends;
    return this.sentLast ? () => this.send() : other;
  }

  private otherStep(now: number): Step | undefined {
    const task = this.tasks.shift();
    if (task) return task;
    if (now >= this.reconcileAt && this.host.alive) return () => this.compare();
    return now >= this.idleAt() ? () => this.detach() : undefined;
  }

  private nextTime(): number {
    const now = performance.now();
    if (this.host.alive) return Math.min(this.dueAt, this.reconcileAt, this.idleAt(), now + 60_000);
    return Math.min(this.dueAt, this.idleAt(), now + (this.changes.size > 0 ? 500 : 60_000));
  }

  private idleAt(): number {
    const busy = this.changes.clients > 0 || this.changes.size > 0 || this.dueAt < Infinity;
    return busy ? Infinity : this.usedAt + this.times.lingerMs;
  }

  /** Sends waiting changes; without any, announces what is due. */
  private async send(): Promise<void> {
    const { owner } = this.host;
    // Leaves may always be sent, even without a lease: they only remove entries of this owner.
    const changes = this.changes.take(MAX_PRESENCE_CHANGES, !this.host.alive);
    const settling = this.changes.size === 0 ? this.settling.splice(0) : [];
    this.sending = true;
    try {
      if (changes.some((change) => 'user' in change)) await this.list(owner);
      const { room, missedUntil } = this;
      const heardForMs = missedUntil && Math.floor(performance.now() - missedUntil);
      const times = { pauseMs: this.host.pauseMs, ...(heardForMs !== undefined && { heardForMs }) };
      const updated = await this.store.update({ room, owner, changes, ...times });
      if (updated.status === 'dead') {
        this.settling.push(...settling);
        this.dueAt = Infinity;
        return this.host.refused(owner);
      }
      if (updated.dueInMs === undefined && this.missedUntil === missedUntil) delete this.missedUntil;
      this.callAgain(updated);
      if (this.changes.size === 0) settling.push(...this.settling.splice(0));
      for (const resolve of settling) resolve();
    } catch (error) {
      this.changes.putBack(changes);
      this.settling.push(...settling);
      throw error;
    } finally {
      this.sending = false;
    }
  }

  private async sweepAll(owner: string, goneAt: number): Promise<void> {
    await this.list(this.host.owner);
    const { room } = this;
    for (let more = true; more;) {
      const swept = await this.store.sweep({ room, owner, goneAt, pauseMs: this.host.pauseMs });
      this.callAgain(swept);
      more = swept.more;
    }
  }

  private async compare(): Promise<void> {
    // Later requests ask for another one.
    this.reconcileAt = this.nextReconcile();
    try {
      await this.compareAs(this.host.owner);
    } catch (error) {
      this.reconcileAt = 0;
      throw error;
    }
  }

  private async compareAs(owner: string): Promise<void> {
    if (this.changes.clients > 0) await this.addToList(owner);
    const stored = await this.store.inspect(this.room, owner);
    if (owner !== this.host.owner) return;
    this.changes.compare(stored, this.times.graceMs);
    // A call whose answer was lost may have left something to be announced.
    this.dueAt = 0;
    this.host.sawOwners(this, stored.owners);
  }

  private async detach(): Promise<void> {
    if (this.mayBeListedFor !== undefined) {
      const owner = this.mayBeListedFor;
      // A late call may have left entries behind.
      const stored = await this.store.inspect(this.room, owner);
      if (owner === this.host.owner) this.changes.compare(stored, this.times.graceMs);
      if (this.idleAt() === Infinity) return;
      await this.store.removeRoom(owner, this.room);
      delete this.listedFor;
      delete this.mayBeListedFor;
    }
    if (this.idleAt() === Infinity || this.tasks.length > 0) return;
    this.closed = true;
    this.host.detached(this);
  }

  /** The list comes before the first entry, so that the node that cleans up behind us finds the room. */
  private async list(owner: string): Promise<void> {
    if (this.listedFor !== owner) await this.addToList(owner);
  }

  private async addToList(owner: string): Promise<void> {
    this.mayBeListedFor = owner;
    await this.store.addRoom(owner, this.room);
    this.listedFor = owner;
  }

  private callAgain({ dueInMs = Infinity, isRefused }: PresenceAnnounced): void {
    this.usedAt = performance.now();
    // Nobody heard it, so nobody knows; it has the engine's instant, in whole milliseconds.
    if (isRefused) this.missedUntil = this.usedAt + 1;
    const pauseMs = (isRefused ? REFUSED_MS : 0) + MISSED_MS * Math.random();
    const missedInMs = this.missedUntil === undefined ? Infinity : pauseMs;
    this.dueAt = this.usedAt + Math.min(dueInMs, missedInMs);
  }

  /** Spreads the rooms over time. */
  private nextReconcile(): number {
    return performance.now() + this.times.reconcileMs * (0.8 + 0.4 * Math.random());
  }
}
