import { Logger } from '@nestjs/common';
import { type Command, GatewayError, type RoomEvents, toGatewayError } from '@wss/core';
import { kindOf, type LogEntry, LogGate, stackOf } from '@wss/protocol';
import type { CommittedListener } from './committed-entries.js';
import { ClientShares } from '../lanes/client-shares.js';
import { EngineTime } from '../lanes/engine-time.js';
import type { OnceScope } from '../lanes/once-key.js';
import { answerOf } from './outcomes.js';
import type { CommitterContext, RoomLimits } from './committer-context.js';
import { RoomCommitter } from './room-committer.js';
import type { RoomStore } from '../store/room-store.js';
import type { CallChannels } from './writer-queue.js';
import type { Work, WorkResult } from './work.js';
import { findWork } from './pending-work.js';

/** Number of rooms whose documents and numbers a node keeps at hand; the least recently used ones are dropped. */
const MAX_ROOMS = 2_000;

/** Settings of a {@link Committer}. */
export abstract class CommitterOptions {
  /** This incarnation of the node. */
  abstract readonly nodeId: string;
  /**
   * Channels on which nodes call each other to write a room. Without them, nodes that write one room try until they
   * succeed.
   */
  abstract readonly channels?: CallChannels;
  /** How long a commit is tried against an engine that does not answer, ms. Default 1,200. */
  abstract readonly patienceMs?: number;
  /** Steady clock, ms. Default this process'. */
  abstract readonly now?: () => number;
}

/** A room that the node changes by itself, without a client's command: from a controller, a job, a timer. */
export interface RoomScope extends OnceScope {
  readonly room: string;
}

/** The scope of a commit: a client's command, or a room that the node changes by itself. */
export type CommitScope = Command | RoomScope;

/** Knows the limits of rooms; undefined for an undeclared kind. */
export interface RoomLimitsSource {
  of(room: string): RoomLimits | undefined;
}

/** Sends every change of a room of this node through that room's queue. */
export class Committer {
  private readonly faults = new LogGate((line) => new Logger('Commits').error(line));
  private readonly rooms = new Map<string, RoomCommitter>();
  private readonly listeners: CommittedListener[] = [];
  private readonly context: CommitterContext;
  private readonly shares = new ClientShares();
  private closed = false;

  constructor(
    store: RoomStore,
    private readonly types: RoomLimitsSource,
    { nodeId, channels, patienceMs = 1_200, now = () => performance.now() }: CommitterOptions,
  ) {
    this.context = {
      store,
      nodeId,
      ...(channels && { channels }),
      patienceMs,
      now,
      time: new EngineTime(store, now),
      onCommitted: (room, epoch, entries) => this.announce(room, epoch, entries),
      limitsOf: (room) => this.limitsOf(room),
      faults: this.faults,
      isClosed: () => this.closed,
    };
  }

  /** Calls back, in commit order per room, for every commit that this node made. A listener that throws costs only itself. */
  onCommitted(listener: CommittedListener): void {
    this.listeners.push(listener);
  }

  /**
   * Carries out a work. A command's work waits for those that came before it (R10), and its effect is noted on the command.
   * @throws GatewayError if it had no effect: the work's error, the recorded error, or the refusal.
   */
  async perform(work: Work): Promise<WorkResult> {
    const { command, payer } = work;
    if (command) {
      const earlier = command.inOrder();
      if (earlier) await earlier;
    }
    return this.inShare(command ?? payer, async () => {
      const room = this.roomOf(work.room);
      const submitted = work.once ? submitOnce(room, work) : room.submit(work);
      command?.pass();
      const result = await submitted;
      await this.note(work, result, room);
      return result;
    });
  }

  /** Carries out what a client has sent when few of its works are under way. */
  private async inShare<T>(command: Command | undefined, carryOut: () => Promise<T>): Promise<T> {
    const { shares } = this;
    if (!command) return carryOut();
    const begun = shares.enter(command.client);
    if (begun) await begun;
    try {
      return await carryOut();
    } finally {
      shares.leave(command.client);
    }
  }

  /** Notes the effect on the work's command, once it is as lasting as it has to be. */
  private async note(work: Work, result: WorkResult, room: RoomCommitter): Promise<void> {
    if (work.durable ?? room.limits.durable) await this.requireDurable(work, result);
    const { position, duplicate } = result;
    if (work.command) work.command.effect = { position, duplicate, answer: () => answerOf(result) };
  }

  /**
   * Finds the record of a numbered command and notes it on the command, out of the order of commits; nothing is noted if
   * there is none.
   * @throws GatewayError when the number is refused or the engine is out of reach
   */
  async find(command: Command): Promise<void> {
    await this.inShare(command, async () => {
      const room = this.roomOf(command.room!);
      const result = await room.find(command);
      if (result) await this.note(findWork(command), result, room);
    });
  }

  /** How long a command's charges are known to be refused, ms; 0 if that is not known. */
  waitOf({ room, charges }: Command): number {
    return charges ? this.roomOf(room!).waitOf(charges) : 0;
  }

  /** How long an idle room lives, ms; 0: for good. */
  idleTtlOf(room: string): number {
    return this.types.of(room)?.idleTtlMs ?? 0;
  }

  /** @throws GatewayError `not_found` for an undeclared kind of room */
  limitsOf(room: string): RoomLimits {
    const type = this.types.of(room);
    if (!type) throw new GatewayError('not_found', 'no such kind of room; declare it with @RoomType');
    return type;
  }

  /** The events that a room's type declares; undefined if it declares none. */
  eventsOf(room: string | undefined): RoomEvents | undefined {
    return room === undefined ? undefined : this.types.of(room)?.events;
  }

  /** Notes that a numbered command ended without a record: later numbers are out of order until it comes again. */
  noteMissing(command: Command): void {
    if (command.room !== undefined) this.roomOf(command.room).noteMissing(command);
  }

  /** Resolves when everything that was submitted for the room until now is settled. */
  settled(room: string): Promise<void> | undefined {
    return this.rooms.get(room)?.settled();
  }

  /** Stops trying; works under way are answered as if patience had ended. */
  close(): void {
    this.closed = true;
    for (const room of this.rooms.values()) room.close();
  }

  /** A repeat is fenced too: its first answer may never have been sent because the fence failed. */
  private async requireDurable({ room, deadline }: Work, { replicationId }: WorkResult): Promise<void> {
    if (replicationId === undefined) return;
    const withinMs = Math.max(this.context.patienceMs, deadline - this.context.now());
    if (await this.context.store.durable(room, replicationId, withinMs)) return;
    throw new GatewayError('unknown_outcome', 'applied, but not proven to survive a failover', {
      applied: true,
    });
  }

  private roomOf(room: string): RoomCommitter {
    const known = this.rooms.get(room);
    // The order of use matters only if some are to be dropped soon.
    if (known && this.rooms.size <= MAX_ROOMS / 2) return known;
    if (known) this.rooms.delete(room);
    const committer = known ?? new RoomCommitter(room, this.context);
    this.rooms.set(room, committer);
    if (this.rooms.size > MAX_ROOMS) this.dropOldestIdle();
    return committer;
  }

  private dropOldestIdle(): void {
    for (const [room, committer] of this.rooms) {
      if (!committer.idle) continue;
      committer.close();
      this.rooms.delete(room);
      return;
    }
  }

  private announce(room: string, epoch: string, entries: readonly LogEntry[]): void {
    for (const listener of this.listeners) {
      try {
        listener(room, epoch, entries);
      } catch (error) {
        const line = `entries that were committed in room ${room} are not taken on: ${stackOf(error)}`;
        this.faults.report(kindOf(error), line);
      }
    }
  }
}

/**
 * Submits a work with a key. The record of the key is the answer, also where the function refuses a repeat for now and so
 * leaves no other one (R1).
 */
async function submitOnce(room: RoomCommitter, work: Work): Promise<WorkResult> {
  let refusal: GatewayError | undefined;
  const prepare: Work['prepare'] = (view) => {
    try {
      return work.prepare(view);
    } catch (thrown) {
      throw (refusal = toGatewayError(thrown));
    }
  };
  try {
    return await room.submit({ ...work, prepare });
  } catch (error) {
    const found = error === refusal ? await room.findKey(work) : undefined;
    if (found) return found;
    throw error;
  }
}
