import { Logger } from '@nestjs/common';
import { encodeEnding, gatePosition, RoomGate } from '@wss/core';
import { type Ending, kindOf, LogGate, type Position, stackOf } from '@wss/protocol';
import type { RoomStore } from '@wss/state';

/** An ending of memberships that this node has written to a room's log. */
export interface KeptEnding {
  readonly room: string;
  readonly ending: Ending;
  readonly position: Position;
  /** The history of the engine on which it was written. */
  readonly history: string;
}

interface WatchedEnding extends KeptEnding {
  /** Its place in the room's list of endings, which a new epoch does not change. */
  readonly at: string;
  /** Since when it is kept, ms of this process' steady clock. */
  readonly since: number;
}

/** Dependencies and settings of the endings that a node keeps. */
export interface KeptEndingsOptions {
  readonly store: Pick<RoomStore, 'tops' | 'resume' | 'durable'>;
  /** Writes an ending again, which the engine has lost, and keeps it. */
  readonly repeat: (kept: KeptEnding) => Promise<void>;
  /** True if the engine can prove that something survives a failover. */
  readonly canBeDurable: boolean;
  /** How long a room of this name lives while nothing is committed in it, ms; 0 if it does not end. */
  readonly idleTtlOf: (room: string) => number;
  /** How often the engine is asked if it still has them, ms. Default 1,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 1_000;
/** Number of rooms that are looked at in one go. */
const AT_ONCE = 500;
/** Largest number that is kept; the oldest is dropped. */
const MOST = 10_000;
/** How long one is kept that can't be proven to survive a failover, ms. */
const KEPT_MS = 3_600_000;
/** How long a proof may take, ms. */
const PROOF_MS = 1_000;

/**
 * Keeps the endings of memberships that this node wrote until they are proven to survive every failover, and repeats
 * those that one has lost (R39). Where nothing can be proven they are kept for an hour, at most 10,000 of them.
 */
export class KeptEndings {
  private readonly faults = new LogGate((line) => new Logger('Rooms').warn(line));
  /** By room and whose memberships end. */
  private readonly kept = new Map<string, WatchedEnding>();
  private readonly timer: NodeJS.Timeout;
  private looking?: Promise<void>;

  constructor(private readonly options: KeptEndingsOptions) {
    this.timer = setInterval(() => void this.look(), options.everyMs ?? EVERY_MS).unref();
  }

  keep(ending: KeptEnding): void {
    const key = keyOf(ending);
    this.kept.delete(key);
    this.kept.set(key, { ...ending, at: gatePosition(ending.position), since: performance.now() });
    if (this.kept.size > MOST) this.kept.delete(this.kept.keys().next().value!);
  }

  /** Forgets one that survives every failover, unless a later one has taken its place. */
  proven({ room, ending, position }: KeptEnding): void {
    const key = keyOf({ room, ending });
    if (this.kept.get(key)?.position === position) this.kept.delete(key);
  }

  /** Number of endings that are kept. */
  get size(): number {
    return this.kept.size;
  }

  close(): void {
    clearInterval(this.timer);
    this.kept.clear();
  }

  /** Looks now: the engine may have lost some. Never rejects. */
  look(): Promise<void> {
    return (this.looking ??= this.lookAtAll()
      .catch((error: unknown) => {
        this.faults.report(kindOf(error), `it is not known now if removals are in force: ${stackOf(error)}`);
      })
      .finally(() => delete this.looking));
  }

  private async lookAtAll(): Promise<void> {
    const before = performance.now() - KEPT_MS;
    for (const [key, { since }] of this.kept) if (since < before) this.kept.delete(key);
    const all = [...this.kept.values()];
    for (let from = 0; from < all.length; from += AT_ONCE) await this.lookAt(all.slice(from, from + AT_ONCE));
  }

  private async lookAt(endings: readonly WatchedEnding[]): Promise<void> {
    const { store, canBeDurable } = this.options;
    const tops = await store.tops(endings.map(({ room }) => room));
    for (const [index, kept] of endings.entries()) {
      const top = tops[index];
      // A room that has ended concerns nobody before its next use; to read it would begin its next life.
      if (top === 'unreachable' || (top === undefined && this.options.idleTtlOf(kept.room) > 0)) continue;
      if (top?.epoch === kept.position.epoch) {
        if (canBeDurable) await this.prove(kept);
      } else await this.lookAtHistory(kept);
    }
  }

  /** The room is in another epoch: the ending may be lost. */
  private async lookAtHistory(kept: WatchedEnding): Promise<void> {
    const { store, idleTtlOf } = this.options;
    const { room, position: from } = kept;
    const reply = await store.resume({
      room,
      from,
      idleTtlMs: idleTtlOf(room),
      limits: { entries: 1, bytes: 1 },
    });
    // A room that went on in its next life, or behind a cut, still lists it.
    const isInForce = (reply.gate ?? RoomGate.OPEN).lists(kept.ending, kept.at);
    if (!isInForce) return this.writeAgain(kept);
    const key = keyOf(kept);
    if (reply.position.epoch === from.epoch || this.kept.get(key)?.position !== from) return;
    const position = { epoch: reply.position.epoch, seq: from.seq };
    this.kept.set(key, { ...kept, position, history: reply.replicationId });
  }

  /** It is kept no longer for that. */
  private async writeAgain(kept: WatchedEnding): Promise<void> {
    await this.options.repeat(kept);
    const key = keyOf(kept);
    const again = this.kept.get(key);
    if (again) this.kept.set(key, { ...again, since: kept.since });
  }

  private async prove(kept: KeptEnding): Promise<void> {
    if (await this.options.store.durable(kept.room, kept.history, PROOF_MS)) this.proven(kept);
  }
}

function keyOf({ room, ending }: Pick<KeptEnding, 'room' | 'ending'>): string {
  return `${room} ${encodeEnding({ ...ending, reason: '' })}`;
}
