import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { type ClientSession, type DocumentsJson, isEngineError, type RoomReset } from '@wss/core';
import { encodeEventJson, kindOf, type LogEntry, LogGate, type Position, stackOf } from '@wss/protocol';
import type { ClientSocket } from '../socket/client-socket.js';
import { Hub } from './hub.js';
import { LaneNumbers } from '../ports/ports.js';

/** Longest pause between two attempts to read numbers, ms. */
const MAX_PAUSE_MS = 2_000;

/** Takes what happens in rooms to this node's clients; the way in for whoever follows the rooms. */
@Injectable()
export class RoomDelivery {
  private readonly logger = new Logger(RoomDelivery.name);
  private readonly errors = new LogGate((line) => this.logger.error(line));
  private readonly faults = new LogGate((line) => this.logger.warn(line));

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

  /** Tells members which users came to a room and which left; those who miss it see that by its version. */
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

  /** The sessions of a user that have a connection here. */
  sessionsOf(user: string): readonly ClientSession[] {
    return this.hub.sessionsOf(user);
  }

  /** Sends members whose view can't be continued the state as it is, and how far their commands survived. */
  async reset(room: string, before: Position, reset: RoomReset): Promise<void> {
    await this.tell(room, before, (n) => encodeReset(room, reset, n));
  }

  /** Positions after this one belong to a new epoch; sessions learn how far their commands survived (R15). */
  async epochChanged(room: string, before: Position, position: Position): Promise<void> {
    await this.tell(room, before, (n) => encodeEpoch(room, position, n));
  }

  /** A bug keeps members from being told where the room stands: they come again, and go on from where they are. */
  letGo(room: string): void {
    for (const client of this.hub.members(room)) client.closeWith(1011);
  }

  /** Sessions with numbered commands in the room need not keep those up to here (R15). */
  durable(room: string, position: Position): void {
    const clients = this.hub.members(room).filter(({ session }) => session?.hasLane(room));
    if (clients.length === 0) return;
    const data = JSON.stringify({ ...position, durable: position.seq });
    // Members may have seen more than that, so the frame tells nothing of where they stand.
    this.hub.deliverTo(room, clients, encodeEventJson('"$epoch"', data, room));
  }

  /** Sends one text to all members, and one of its own to each session with numbered commands in the room. */
  private async tell(room: string, before: Position, encode: (n?: number) => string): Promise<void> {
    const numbers = await this.survivingNumbers(room);
    const members = this.hub.members(room);
    const others = members.filter((client) => !numbers.has(client));
    this.hub.deliverTo(room, others, encode(), before);
    for (const client of members) {
      const n = numbers.get(client);
      if (n !== undefined) this.hub.deliverTo(room, [client], encode(n), before);
    }
  }

  /** Highest number that survives of each session with numbered commands; asked for while there is such a member. */
  private async survivingNumbers(room: string): Promise<Map<ClientSocket, number>> {
    for (let attempt = 0; ; attempt++) {
      const clients = this.hub.members(room).filter(({ session }) => session?.hasLane(room));
      if (clients.length === 0) return new Map();
      try {
        const numbers = await this.numbers.numbersOf(
          room,
          clients.map(({ session }) => session!.id),
        );
        return new Map(clients.map((client, index) => [client, numbers[index] ?? 0]));
      } catch (error) {
        if (!isEngineError(error)) return this.giveUp(room, clients, error);
        if (attempt === 0)
          this.faults.report(
            'engine',
            `numbers of room ${room} can't be read; the node keeps trying: ${error.message}`,
          );
        await delay(Math.min(MAX_PAUSE_MS, 100 * 2 ** attempt) * (0.5 + Math.random()));
      }
    }
  }

  /** A bug keeps these clients from learning what became of their commands; the room's other members go on. */
  private giveUp(room: string, clients: readonly ClientSocket[], error: unknown): Map<ClientSocket, number> {
    this.errors.report(
      kindOf(error),
      `numbers of room ${room} can't be read, so its sessions are closed: ${stackOf(error)}`,
    );
    for (const client of clients) client.closeWith(1011);
    return new Map();
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

/** The `$epoch` frame that tells of a new epoch. */
export function encodeEpoch(room: string, position: Position, n?: number): string {
  return encodeEventJson('"$epoch"', JSON.stringify(n === undefined ? position : { ...position, n }), room);
}

/** JSON of documents as clients see them, without parsing their values. */
export function encodeDocuments(documents: DocumentsJson): string {
  const parts = [...documents].map(
    ([name, { version, json }]) => `${JSON.stringify(name)}:{"version":${version},"value":${json}}`,
  );
  return `{${parts.join(',')}}`;
}
