import { Injectable, Logger, Optional } from '@nestjs/common';
import { type BackPressure, isEngineError, RoomTypeRegistry } from '@wss/core';
import { kindOf, LogGate, type Position, stackOf } from '@wss/protocol';
import { CatchUp, FEED_BELOW_BYTES } from './catch-up.js';
import type { ClientSocket } from '../socket/client-socket.js';
import type { Lag } from './room-members.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { RoomDelivery } from './room-delivery.js';
import type { FramesOrigin } from '../socket/shared-frames.js';

/** Number of rooms that are read at once for one client: a room that can't be read now does not hold up the others. */
const READ_AT_ONCE = 4;

/**
 * Handles clients that read too slowly, by the policies of their rooms, so that no other client notices. First
 * volatile events are dropped, except those of rooms with `close`. Then rooms with `resync` stop sending, and go on
 * from their logs when the client has read everything queued. If that is not enough, the client is closed.
 */
@Injectable()
export class SlowClients {
  private readonly logger = new Logger(SlowClients.name);
  private readonly errors = new LogGate((line) => this.logger.error(line));
  private readonly faults = new LogGate((line) => this.logger.warn(line));

  constructor(
    private readonly delivery: RoomDelivery,
    private readonly types: RoomTypeRegistry,
    private readonly catchUp: CatchUp,
    @Optional() private readonly observer?: MessagingObserver,
  ) {}

  /** Handles a client that has too much unread. */
  overflowed(client: ClientSocket): void {
    const queue = client.queue;
    if (!queue) return;
    const lost = queue.drop(({ room, after }) => after === undefined && this.policyOf(room) !== 'close');
    if (lost.length > 0) this.observer?.clientSlow('dropped');
    if (!queue.overflowing) return;
    const dropped = queue.drop(({ room }) => this.policyOf(room) === 'resync');
    this.fallBehind(client, dropped);
    if (!queue.overflowing) return;
    this.logger.debug(`client ${client.id} is too slow`);
    this.observer?.clientSlow('closed');
    queue.clear();
    client.closeWith(4408);
  }

  /** Feeds a client that has taken everything that was queued. */
  drained(client: ClientSocket): void {
    if (!client.queue) return;
    const behind = this.behindOf(client);
    if (behind[0]) behind[0][1].isNext = true;
    let free = READ_AT_ONCE - behind.filter(([, { isReading }]) => isReading).length;
    for (const [room, lag] of behind) {
      if (free <= 0) return;
      if (client.queue.unreadBytes > FEED_BELOW_BYTES) return client.whenDrained();
      if (lag.isReading) continue;
      free--;
      void this.goOn(client, room, lag);
    }
  }

  private policyOf(room: string): BackPressure | undefined {
    return this.types.of(room)?.backPressure;
  }

  /** Sets the client's position in each room to the oldest dropped frames. */
  private fallBehind(client: ClientSocket, dropped: readonly FramesOrigin[]): void {
    const oldest = new Map<string, Position>();
    for (const { room, after } of dropped) if (after && !oldest.has(room)) oldest.set(room, after);
    for (const [room, after] of oldest) {
      const wasBehind = this.delivery.lagOf(room, client) !== undefined;
      // A client that left the room meanwhile gets nothing.
      if (this.delivery.pause(room, client, after) && !wasBehind) this.observer?.clientSlow('paused');
    }
  }

  private async goOn(client: ClientSocket, room: string, lag: Lag): Promise<void> {
    lag.isReading = true;
    try {
      await this.catchUp.goOn(client, room);
    } catch (error) {
      this.failed(client, room, error);
    }
    lag.isReading = false;
    if (client.queue && this.behindOf(client).length > 0) client.whenDrained();
  }

  /** Rooms that the client is behind in; the one that has waited longest comes first. */
  private behindOf(client: ClientSocket): [room: string, lag: Lag][] {
    if (client.lags === 0) return [];
    const behind: [string, Lag][] = [];
    for (const room of client.joinedRooms()) {
      const lag = this.delivery.lagOf(room, client);
      if (lag) behind.push([room, lag]);
    }
    return behind.sort(([, a], [, b]) => a.order - b.order);
  }

  private failed(client: ClientSocket, room: string, error: unknown): void {
    if (isEngineError(error)) {
      this.faults.report(
        'engine',
        `client ${client.id} can't catch up in ${room}, so it is closed: ${error.message}`,
      );
      return client.closeWith(1013);
    }
    this.errors.report(kindOf(error), `client ${client.id} can't catch up in ${room}: ${stackOf(error)}`);
    client.closeWith(1011);
  }
}
