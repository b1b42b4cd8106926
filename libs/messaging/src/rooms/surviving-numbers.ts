import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { isEngineError } from '@wss/core';
import { kindOf, LogGate, stackOf } from '@wss/protocol';
import { LaneNumbers } from '../ports/ports.js';
import type { ClientSocket } from '../socket/client-socket.js';

/** Longest pause between two attempts to read numbers, ms. */
const MAX_PAUSE_MS = 2_000;

/** Reads how far the numbered commands of a room's members survived a failover (R15). */
@Injectable()
export class SurvivingNumbers {
  private readonly logger = new Logger('RoomDelivery');
  private readonly errors = new LogGate((line) => this.logger.error(line));
  private readonly faults = new LogGate((line) => this.logger.warn(line));

  constructor(private readonly numbers: LaneNumbers) {}

  /**
   * Reads the highest surviving number of each session with numbered commands; keeps trying while there is such a
   * member.
   * @param members returns the members at the time of each attempt
   */
  async of(room: string, members: () => readonly ClientSocket[]): Promise<Map<ClientSocket, number>> {
    for (let attempt = 0; ; attempt++) {
      const clients = withLane(room, members());
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

  /** Closes clients that a bug keeps from learning the fate of their commands; the room's other members go on. */
  private giveUp(room: string, clients: readonly ClientSocket[], error: unknown): Map<ClientSocket, number> {
    this.errors.report(
      kindOf(error),
      `numbers of room ${room} can't be read, so its sessions are closed: ${stackOf(error)}`,
    );
    for (const client of clients) client.closeWith(1011);
    return new Map();
  }
}

/** Clients whose session has sent numbered commands in the room. */
export function withLane(room: string, clients: readonly ClientSocket[]): ClientSocket[] {
  return clients.filter(({ session }) => session?.hasLane(room));
}
