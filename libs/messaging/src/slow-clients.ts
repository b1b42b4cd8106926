import { Injectable, Logger, Optional } from '@nestjs/common';
import { RoomTypes } from '@wss/handlers';
import type { LogEntry, Position } from '@wss/protocol';
import { WebSocket } from 'ws';
import type { ClientSocket } from './client-socket.js';
import { entryFrames } from './entry-frames.js';
import { Hub } from './hub.js';
import { MessagingObserver } from './messaging-observer.js';
import { RoomSource, type RoomStart } from './ports.js';
import { encodeReset, RoomDelivery } from './room-delivery.js';
import { SharedFrames } from './shared-frames.js';
import { textFrame } from './text-frame.js';

/** Entries that a client that fell behind gets at a time. */
const CATCH_UP_ENTRIES = 256;

/**
 * Deals with clients that read more slowly than they are sent to, by the policies of their rooms, so that nobody
 * else notices: volatile events are dropped first; a room with `resync` stops sending and goes on from its log when
 * the client has read what it has.
 */
@Injectable()
export class SlowClients {
  private readonly logger = new Logger(SlowClients.name);

  constructor(
    private readonly hub: Hub,
    private readonly types: RoomTypes,
    private readonly source: RoomSource,
    private readonly delivery: RoomDelivery,
    @Optional() private readonly observer?: MessagingObserver,
  ) {}

  /** The client has more unread than it may. */
  overflowed(client: ClientSocket): void {
    const queue = client.queue;
    if (!queue) return;
    const lost = queue.drop(({ after }) => after === undefined);
    if (lost.length > 0) this.observer?.clientSlow('dropped');
    if (!queue.overflowing) return;
    const dropped = queue.drop(({ room }) => this.types.of(room)?.backPressure === 'resync');
    for (const { room, after } of dropped) this.fallBehind(client, room, after!);
    if (!queue.overflowing) return;
    this.logger.debug(`client ${client.id} is too slow`);
    this.observer?.clientSlow('closed');
    queue.clear();
    client.closeWith(4408);
  }

  /** The client has read everything that was queued. */
  drained(client: ClientSocket): void {
    for (const room of client.laggingRooms()) void this.catchUp(client, room);
  }

  /** The oldest frames that were dropped say where the client stands. */
  private fallBehind(client: ClientSocket, room: string, seen: Position): void {
    const state = client.roomState(room);
    if (state.lagging) return;
    state.lagging = seen;
    this.hub.pause(room, client);
    this.observer?.clientSlow('paused');
  }

  private async catchUp(client: ClientSocket, room: string): Promise<void> {
    const state = client.roomState(room);
    const from = state.lagging!;
    try {
      const numbers = await this.delivery.survivingNumbers(room, [client]);
      await this.source.begin(room, { from, documents: false }, (start) => {
        if (state.lagging !== from || client.readyState !== WebSocket.OPEN) return;
        this.goOn(client, room, start, numbers.get(client));
      });
    } catch (error) {
      this.logger.warn(`client ${client.id} can't catch up in ${room}: ${(error as Error).message}`);
      client.closeWith(1013);
    }
  }

  private goOn(client: ClientSocket, room: string, start: RoomStart, applied: number | undefined): void {
    const state = client.roomState(room);
    const from = state.lagging!;
    const { reason, position, documents = new Map(), lost } = start;
    if (!start.recovered) {
      const reset = { reason: reason!, position, documents, ...(lost && { lost }) };
      this.push(client, room, from, [textFrame(encodeReset(room, reset, applied))]);
    }
    const part = start.entries.slice(0, CATCH_UP_ENTRIES);
    const { withPatch } = this.hub.membership(room, client) ?? { withPatch: false };
    this.push(client, room, start.recovered ? from : position, framesOf(room, part, withPatch));
    if (part.length < start.entries.length) {
      state.lagging = { epoch: position.epoch, seq: start.entries[CATCH_UP_ENTRIES]!.first - 1 };
      client.whenDrained();
    } else {
      delete state.lagging;
      this.hub.join(room, client, { withPatch });
    }
  }

  private push(client: ClientSocket, room: string, after: Position, frames: readonly Buffer[]): void {
    if (frames.length === 0) return;
    const shared = new SharedFrames({ room, after });
    for (const frame of frames) shared.add(frame);
    client.queue?.push(shared);
  }
}

function framesOf(room: string, entries: readonly LogEntry[], withPatch: boolean): Buffer[] {
  return entries.flatMap((entry) => {
    const frames = entryFrames(room, entry);
    return [...(withPatch ? frames.patched() : frames.plain)];
  });
}
