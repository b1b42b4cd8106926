import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { encodeEventJson, type LogEntry, type Position } from '@wss/protocol';
import type { ClientSocket } from './client-socket.js';
import { Hub } from './hub.js';
import { type DocumentsJson, LaneNumbers } from './ports.js';

/** Why a room's members must start anew, and from where. */
export interface RoomReset {
  readonly reason: string;
  readonly position: Position;
  readonly lost?: { readonly from: number; readonly to: number };
  readonly documents: DocumentsJson;
}

/** Takes what happens in rooms to this node's clients; the way in for whoever follows the rooms. */
@Injectable()
export class RoomDelivery {
  private readonly logger = new Logger(RoomDelivery.name);

  constructor(
    private readonly hub: Hub,
    private readonly numbers: LaneNumbers,
  ) {}

  deliver(room: string, epoch: string, entries: readonly LogEntry[]): void {
    this.hub.deliver(room, epoch, entries);
  }

  deliverVolatile(room: string, event: string, data: string, except?: string): void {
    this.hub.deliverVolatile(room, event, data, except);
  }

  /** Who came to a room and who left; members who miss it see that by its version. */
  deliverPresence(room: string, delta: string): void {
    this.hub.deliverVolatile(room, '"$presence"', delta);
  }

  deliverToUser(user: string, event: string, data: string): void {
    this.hub.deliverToUser(user, event, data);
  }

  deliverToClient(clientId: string, event: string, data: string): void {
    this.hub.deliverToClient(clientId, event, data);
  }

  deliverToAll(event: string, data: string): void {
    this.hub.deliverToAll(event, data);
  }

  /** Another connection goes on with a session. */
  sessionTakenOver(session: string, generation: number): void {
    this.hub.closeOlder(session, generation);
  }

  /** What members have seen can't be continued: they get the state as it is, and how far their commands survived. */
  async reset(room: string, before: Position, reset: RoomReset): Promise<void> {
    await this.tell(room, before, (n) => encodeReset(room, reset, n));
  }

  /** Positions after this one belong to a new epoch; sessions learn how far their commands survived (R15). */
  async epochChanged(room: string, before: Position, position: Position): Promise<void> {
    await this.tell(room, before, (n) => {
      const data = JSON.stringify(n === undefined ? position : { ...position, n });
      return encodeEventJson('"$epoch"', data, room);
    });
  }

  /** Sessions with numbered commands in the room need not keep those up to here (R15). */
  durable(room: string, position: Position): void {
    const clients = this.hub.members(room).filter(({ session }) => session?.hasLane(room));
    if (clients.length === 0) return;
    const data = JSON.stringify({ ...position, durable: position.seq });
    this.hub.deliverTo(room, clients, encodeEventJson('"$epoch"', data, room), position);
  }

  /** Highest number of each client's session that survives in a room, 0 without a record; nothing for clients without numbered commands. */
  async survivingNumbers(room: string, clients: readonly ClientSocket[]): Promise<Map<ClientSocket, number>> {
    const withLane = clients.filter(({ session }) => session?.hasLane(room));
    const numbers = await this.numbersOf(room, withLane);
    return new Map(withLane.map((client, index) => [client, numbers[index] ?? 0]));
  }

  /** Sends one text to all members, and one of its own to each session with numbered commands in the room. */
  private async tell(room: string, before: Position, encode: (n?: number) => string): Promise<void> {
    const numbers = await this.survivingNumbers(room, this.hub.members(room));
    const members = this.hub.members(room);
    const others = members.filter((client) => !numbers.has(client));
    this.hub.deliverTo(room, others, encode(), before);
    for (const client of members) {
      const n = numbers.get(client);
      if (n !== undefined) this.hub.deliverTo(room, [client], encode(n), before);
    }
  }

  private async numbersOf(room: string, clients: readonly ClientSocket[]): Promise<(number | undefined)[]> {
    if (clients.length === 0) return [];
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.numbers.numbersOf(
          room,
          clients.map(({ session }) => session!.id),
        );
      } catch (error) {
        if (attempt === 0)
          this.logger.warn(`numbers of room ${room} can't be read: ${(error as Error).message}`);
        await delay(100 + Math.random() * 100);
      }
    }
  }
}

/** The `$reset` frame. */
export function encodeReset(
  room: string,
  { reason, position, lost, documents }: RoomReset,
  applied?: number,
): string {
  const head = JSON.stringify({ reason, ...position, lost: lost ?? null, applied: applied ?? null });
  return encodeEventJson('"$reset"', `${head.slice(0, -1)},"documents":${encodeDocuments(documents)}}`, room);
}

/** JSON of documents as clients see them, without parsing their values. */
export function encodeDocuments(documents: DocumentsJson): string {
  const parts = [...documents].map(
    ([name, { version, json }]) => `${JSON.stringify(name)}:{"version":${version},"value":${json}}`,
  );
  return `{${parts.join(',')}}`;
}
