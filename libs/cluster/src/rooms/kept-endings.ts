import { encodeEnding, gatePosition, RoomGate } from '@wss/core';
import type { Ending, Position } from '@wss/protocol';
import type { RoomStore } from '@wss/state';
import { KeptWrites } from '../keeping/kept-writes.js';

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

/** How long a proof may take, ms. */
const PROOF_MS = 1_000;

/** Keeps the endings of memberships that this node wrote, and repeats those that a failover has lost (R39). */
export class KeptEndings {
  /** By room and whose memberships end. */
  private readonly kept: KeptWrites<WatchedEnding>;

  constructor(private readonly options: KeptEndingsOptions) {
    const { everyMs } = options;
    const lookAt = (endings: readonly WatchedEnding[]): Promise<void> => this.lookAt(endings);
    this.kept = new KeptWrites({ logger: 'Rooms', what: 'removals', lookAt, everyMs });
  }

  keep(ending: KeptEnding): void {
    this.kept.keep(keyOf(ending), { ...ending, at: gatePosition(ending.position) });
  }

  /** Forgets one that survives every failover, unless a later one has taken its place. */
  proven({ room, ending, position }: KeptEnding): void {
    const key = keyOf({ room, ending });
    if (this.kept.get(key)?.position === position) this.kept.forget(key);
  }

  /** Number of endings that are kept. */
  get size(): number {
    return this.kept.size;
  }

  close(): void {
    this.kept.close();
  }

  /** Looks now: the engine may have lost some. Never rejects. */
  look(): Promise<void> {
    return this.kept.look();
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
    this.kept.replace(key, { ...kept, position, history: reply.replicationId }, this.kept.sinceOf(key));
  }

  /** It is kept no longer for that. */
  private async writeAgain(kept: WatchedEnding): Promise<void> {
    const key = keyOf(kept);
    const since = this.kept.sinceOf(key);
    await this.options.repeat(kept);
    const again = this.kept.get(key);
    if (again) this.kept.replace(key, again, since);
  }

  private async prove(kept: KeptEnding): Promise<void> {
    if (await this.options.store.durable(kept.room, kept.history, PROOF_MS)) this.proven(kept);
  }
}

function keyOf({ room, ending }: Pick<KeptEnding, 'room' | 'ending'>): string {
  return `${room} ${encodeEnding({ ...ending, reason: '' })}`;
}
