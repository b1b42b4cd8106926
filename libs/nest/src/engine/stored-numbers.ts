import { type RoomTypeRegistry, withReadErrors } from '@wss/core';
import { LaneNumbers } from '@wss/messaging';
import type { RoomStore } from '@wss/state';

/** Numbers of commands as the engine has recorded them; a session's lane has the session's id. */
export class StoredNumbers extends LaneNumbers {
  constructor(
    private readonly store: RoomStore,
    private readonly types: RoomTypeRegistry,
  ) {
    super();
  }

  numbersOf(room: string, sessions: readonly string[]): Promise<(number | undefined)[]> {
    return this.store.numbers(room, sessions);
  }

  async numberIn(room: string, session: string): Promise<{ n?: number; epoch: string }> {
    const idleTtlMs = this.types.of(room)?.idleTtlMs ?? 0;
    const { n, position } = await withReadErrors(() => this.store.resume({ room, idleTtlMs, lane: session }));
    return { epoch: position.epoch, ...(n !== undefined && { n }) };
  }
}
