import { type RoomTypeRegistry, withReadErrors } from '@wss/core';
import { type HistoryPage, type HistoryQuery, HistorySource } from '@wss/messaging';
import type { RoomStore } from '@wss/state';

/** The logs of rooms as the engine keeps them. */
export class StoredHistory extends HistorySource {
  constructor(
    private readonly store: RoomStore,
    private readonly types: RoomTypeRegistry,
  ) {
    super();
  }

  page(room: string, request: HistoryQuery): Promise<HistoryPage> {
    const idleTtlMs = this.types.of(room)?.idleTtlMs ?? 0;
    return withReadErrors(() => this.store.history({ ...request, room, idleTtlMs }));
  }
}
