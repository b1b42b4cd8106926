import { Injectable } from '@nestjs/common';
import type { RoomStart } from '@wss/core';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { replayedFrames } from '../socket/entry-frames.js';
import type { Lag } from './room-members.js';
import { MAX_OUTBOUND_BYTES } from '../socket/outbound-queue.js';
import { LaneNumbers, RoomSource } from '../ports/ports.js';
import { RoomDelivery } from './room-delivery.js';
import { encodeEpoch, encodeReset } from './room-frames.js';
import { SharedFrames } from '../socket/shared-frames.js';
import { textFrame } from '../socket/text-frame.js';

/** Largest number of missed entries that a client gets at a time. */
const PART_ENTRIES = 1_024;
/** No entry is added to a part that has this many bytes. */
const PART_BYTES = 262_144;
/** A client that has this much unread gets only the part that is next: two more must fit into its queue. */
export const FEED_BELOW_BYTES = MAX_OUTBOUND_BYTES / 4;
/** How often a room may change its epoch while a client catches up. */
const MAX_EPOCHS = 5;

/**
 * Sends clients the events that they missed in a room, in parts: the next part is read when the client has taken the
 * last one, and live events follow the last part. Until then the room keeps the client's position; dropping a part
 * sets it back.
 */
@Injectable()
export class CatchUp {
  constructor(
    private readonly delivery: RoomDelivery,
    private readonly source: RoomSource,
    private readonly numbers: LaneNumbers,
  ) {}

  /** Sends a new member the events between its start and the live ones. */
  replay(client: ClientSocket, room: string, start: RoomStart): void {
    const [oldest] = start.entries;
    if (oldest) this.sendPart(client, room, { epoch: start.position.epoch, seq: oldest.first - 1 }, start);
  }

  /**
   * Reads and sends the next part for a member that is behind.
   * @throws the engine's error
   */
  async goOn(client: ClientSocket, room: string): Promise<void> {
    const lag = this.delivery.lagOf(room, client);
    if (lag) await this.readPart(client, room, lag);
  }

  private async readPart(client: ClientSocket, room: string, lag: Lag): Promise<void> {
    let number: { readonly n?: number; readonly epoch: string } | undefined;
    for (let attempt = 0; attempt < MAX_EPOCHS; attempt++) {
      const { from } = lag;
      const withNumber = client.session?.hasLane(room) === true;
      let outdated = false;
      await this.source.begin(room, { from, documents: false }, (start) => {
        // The client left, joined again, or lost the frames before this part while the room was read.
        if (this.delivery.lagOf(room, client) !== lag || lag.from !== from) return;
        if (!client.queue || (client.queue.unreadBytes > FEED_BELOW_BYTES && !lag.isNext)) return;
        outdated = withNumber && needsNumber(start, from) && number?.epoch !== start.position.epoch;
        if (outdated) return;
        this.send(client, room, { from, start, ...(withNumber && { n: number?.n ?? 0 }) });
        lag.wasServed();
      });
      if (!outdated) return;
      number = await this.numbers.numberIn(room, client.session!.id);
    }
  }

  private send(
    client: ClientSocket,
    room: string,
    { from, start, n }: { readonly from: Position; readonly start: RoomStart; readonly n?: number },
  ): void {
    const { position, recovered, reason, lost, documents = new Map() } = start;
    if (!recovered) {
      const reset = { reason: reason!, position, documents, ...(lost && { lost }) };
      this.push(client, { room, after: from }, [textFrame(encodeReset(room, reset, n))]);
      return this.sendPart(client, room, position, start);
    }
    const at = { epoch: position.epoch, seq: from.seq };
    // Nothing is lost, but this member did not get the `$epoch` that the others got meanwhile.
    if (at.epoch !== from.epoch) {
      this.push(client, { room, after: from }, [textFrame(encodeEpoch(room, at, n))]);
    }
    this.sendPart(client, room, at, start);
  }

  private sendPart(
    client: ClientSocket,
    room: string,
    after: Position,
    { entries, more }: Pick<RoomStart, 'entries' | 'more'>,
  ): void {
    const { frames, count } = partOf(room, entries, this.delivery.membership(room, client)!.withPatch);
    this.push(client, { room, after }, frames);
    if (count === entries.length && !more) return this.delivery.resume(room, client);
    this.delivery.pause(room, client, { epoch: after.epoch, seq: lastSeq(entries[count - 1]!) });
    client.whenDrained();
  }

  private push(
    client: ClientSocket,
    origin: { readonly room: string; readonly after: Position },
    frames: readonly Buffer[],
  ): void {
    if (frames.length === 0) return;
    const shared = new SharedFrames(origin);
    for (const frame of frames) shared.add(frame);
    client.queue?.push(shared);
  }
}

/** True if a history ended: then sessions learn how far their commands survived. */
function needsNumber(start: RoomStart, from: Position): boolean {
  return !start.recovered || start.position.epoch !== from.epoch;
}

/** Returns the frames of the first entries, as many as fit into one part. */
function partOf(
  room: string,
  entries: readonly LogEntry[],
  withPatch: boolean,
): { readonly frames: readonly Buffer[]; readonly count: number } {
  const frames: Buffer[] = [];
  let bytes = 0;
  let count = 0;
  while (count < entries.length && count < PART_ENTRIES && bytes < PART_BYTES) {
    const of = replayedFrames(room, entries[count++]!);
    for (const frame of withPatch ? of.patched() : of.plain) {
      frames.push(frame);
      bytes += frame.length;
    }
  }
  return { frames, count };
}
