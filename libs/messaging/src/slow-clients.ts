import { Injectable, Logger, Optional } from '@nestjs/common';
import { RoomTypes } from '@wss/handlers';
import type { Position } from '@wss/protocol';
import { CatchUp } from './catch-up.js';
import type { ClientSocket } from './client-socket.js';
import { describe } from './connection-failure.js';
import { isEngineError } from './engine-error.js';
import { Hub } from './hub.js';
import { MessagingObserver } from './messaging-observer.js';
import { MAX_OUTBOUND_BYTES } from './outbound-queue.js';
import type { FramesOrigin } from './shared-frames.js';

/** No further part is read for a client that has this much unread. */
const READ_BELOW_BYTES = MAX_OUTBOUND_BYTES / 2;

/**
 * Deals with clients that read more slowly than they are sent to, by the policies of their rooms, so that nobody
 * else notices: volatile events are dropped first; a room with `resync` stops sending and goes on from its log when
 * the client has read what it has.
 */
@Injectable()
export class SlowClients {
  private readonly logger = new Logger(SlowClients.name);
  private readonly catchingUp = new Set<ClientSocket>();

  constructor(
    private readonly hub: Hub,
    private readonly types: RoomTypes,
    private readonly catchUp: CatchUp,
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
    this.fallBehind(client, dropped);
    if (!queue.overflowing) return;
    this.logger.debug(`client ${client.id} is too slow`);
    this.observer?.clientSlow('closed');
    queue.clear();
    client.closeWith(4408);
  }

  /** The client has taken everything that was queued. */
  drained(client: ClientSocket): void {
    void this.catchUpAll(client);
  }

  /** The oldest frames of each room that were dropped say where the client stands there. */
  private fallBehind(client: ClientSocket, dropped: readonly FramesOrigin[]): void {
    const oldest = new Map<string, Position>();
    for (const { room, after } of dropped) if (after && !oldest.has(room)) oldest.set(room, after);
    for (const [room, after] of oldest) {
      const wasBehind = this.hub.lagOf(room, client) !== undefined;
      // Nothing is owed to a client that left the room meanwhile.
      if (this.hub.pause(room, client, after) && !wasBehind) this.observer?.clientSlow('paused');
    }
  }

  /** One room after the other: what is read for a client must fit into its queue. */
  private async catchUpAll(client: ClientSocket): Promise<void> {
    if (this.catchingUp.has(client)) return;
    this.catchingUp.add(client);
    for (const room of this.roomsBehind(client)) {
      if ((client.queue?.unreadBytes ?? Infinity) > READ_BELOW_BYTES) break;
      await this.goOn(client, room);
    }
    this.catchingUp.delete(client);
    if (client.queue && this.roomsBehind(client).length > 0) client.whenDrained();
  }

  private async goOn(client: ClientSocket, room: string): Promise<void> {
    try {
      await this.catchUp.goOn(client, room);
    } catch (error) {
      this.failed(client, room, error);
    }
  }

  private roomsBehind(client: ClientSocket): string[] {
    return client.joinedRooms().filter((room) => this.hub.lagOf(room, client));
  }

  private failed(client: ClientSocket, room: string, error: unknown): void {
    if (isEngineError(error)) {
      this.logger.warn(`client ${client.id} can't catch up in ${room}, it is let go: ${error.message}`);
      return client.closeWith(1013);
    }
    this.logger.error(`client ${client.id} can't catch up in ${room}: ${describe(error)}`);
    client.closeWith(1011);
  }
}
