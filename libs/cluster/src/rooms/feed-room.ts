import { type RoomHold, type RoomStart, type StartRequest, toReadError } from '@wss/core';
import type { FollowedRoom } from '../following/followed-room.js';

/** A wish to follow a room of a feed. */
export class FeedHold implements RoomHold {
  private released = false;

  /** @internal */
  constructor(
    private readonly held: FeedRoom,
    /** True if the room is as current as its opening made it. */
    private isCurrent: boolean,
  ) {}

  async begin(request: StartRequest, complete: (start: RoomStart) => void): Promise<void> {
    const { room, opened } = this.held;
    const { isCurrent } = this;
    this.isCurrent = false;
    try {
      await opened;
      if (!isCurrent) await room.confirm();
      request.signal?.throwIfAborted();
      await room.begin(request, (start) => {
        if (!this.released) complete(start);
      });
    } catch (error) {
      throw toReadError(error);
    }
  }

  current(): Promise<void> | undefined {
    return this.held.room.current;
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.held.giveBack(this);
  }
}

/** Dependencies and settings of a room of a feed. */
export interface FeedRoomOptions {
  readonly name: string;
  readonly room: FollowedRoom;
  /** Resolves when the room is subscribed and its position is known. */
  readonly opened: Promise<void>;
  /** How long it is followed after its last hold was given back, ms. */
  readonly lingerMs: number;
  /** Called when nobody has held the room for that long. */
  readonly onAbandoned: () => void;
  readonly onClosed: () => void;
}

/** A room of a feed, followed while it has a hold and a little longer. */
export class FeedRoom {
  private readonly holds = new Set<FeedHold>();
  private lingering?: NodeJS.Timeout;
  private isNew = true;
  /** When it was last kept from its idle end, which its opening does too, ms on this process' steady clock. */
  keptAt = performance.now();

  constructor(private readonly options: FeedRoomOptions) {}

  get name(): string {
    return this.options.name;
  }

  get room(): FollowedRoom {
    return this.options.room;
  }

  /** See {@link FeedRoomOptions.opened}. */
  get opened(): Promise<void> {
    return this.options.opened;
  }

  /** True if somebody wants the room. */
  get isHeld(): boolean {
    return this.holds.size > 0;
  }

  hold(): FeedHold {
    const hold = new FeedHold(this, this.isNew);
    this.isNew = false;
    this.holds.add(hold);
    clearTimeout(this.lingering);
    return hold;
  }

  /**
   * Takes a hold back.
   * @internal
   */
  giveBack(hold: FeedHold): void {
    this.holds.delete(hold);
    if (this.isHeld) return;
    const { lingerMs, onAbandoned } = this.options;
    this.lingering = setTimeout(onAbandoned, lingerMs).unref();
  }

  /** Ends it: nothing is delivered from it any more. */
  close(): void {
    clearTimeout(this.lingering);
    this.room.stop();
    this.options.onClosed();
  }
}
