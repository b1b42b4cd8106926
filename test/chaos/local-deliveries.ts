import { setTimeout as delay } from 'node:timers/promises';
import type { RoomListener } from '@wss/cluster';
import type { HistoryReset } from '@wss/core';
import { encodeEvent, encodeEventJson, encodeLogEntry, type LogEntry, type Position } from '@wss/protocol';
import type { RoomStore } from '@wss/state';
import type { LocalConnection } from './local-connection.js';

/** The connections of a node, and their rooms. */
export class Members {
  readonly all = new Set<LocalConnection>();
  private readonly rooms = new Map<string, Set<LocalConnection>>();

  of(room: string): Set<LocalConnection> {
    const known = this.rooms.get(room) ?? new Set();
    this.rooms.set(room, known);
    return known;
  }
}

/** Takes what the feed delivers to the members. */
export class LocalDeliveries implements RoomListener {
  constructor(
    private readonly members: Members,
    private readonly store: RoomStore,
  ) {}

  deliver(room: string, _epoch: string, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      for (const text of encodeLogEntry(room, entry, false)) this.toAll(room, text);
    }
  }

  deliverVolatile(room: string, event: string, data: string): void {
    this.toAll(room, encodeEventJson(JSON.stringify(event), data, room));
  }

  async reset(
    room: string,
    _before: Position,
    { reason, position, lost, documents }: HistoryReset,
  ): Promise<void> {
    const data = { reason, ...position, lost: lost ?? null, documents: viewsOf(documents) };
    await this.tell(room, '$reset', (n) => ({ ...data, applied: n ?? null }));
  }

  async epochChanged(room: string, _before: Position, position: Position): Promise<void> {
    await this.tell(room, '$epoch', (n) => (n === undefined ? position : { ...position, n }));
  }

  deliverPresence(): void {}
  letGo(): void {}

  private toAll(room: string, text: string): void {
    for (const member of this.members.of(room)) member.push(text);
  }

  private async tell(room: string, event: string, encode: (n?: number) => object): Promise<void> {
    const members = [...this.members.of(room)];
    const sessions = members.map(({ session }) => session.id);
    for (;;) {
      try {
        const numbers = await this.store.numbers(room, sessions);
        members.forEach((member, i) => {
          const n = member.session.hasLane(room) ? (numbers[i] ?? 0) : undefined;
          member.push(encodeEvent(event, encode(n), room));
        });
        return;
      } catch {
        await delay(50);
      }
    }
  }
}

/** Documents as clients see them. */
export function viewsOf(documents: HistoryReset['documents']): object {
  const views = [...documents].map(([name, { version, json }]) => [
    name,
    { version, value: JSON.parse(json) as unknown },
  ]);
  return Object.fromEntries(views) as object;
}
