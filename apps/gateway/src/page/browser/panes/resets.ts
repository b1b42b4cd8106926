import type { Room, RoomReset } from '@wss/client';
import { button, byId, make } from '../dom.js';

/** Names what happened to a room, by the reason of its reset. */
function textOf({ reason, lost }: RoomReset): string {
  const range = lost && (lost.from === lost.to ? `event ${lost.from}` : `events ${lost.from} to ${lost.to}`);
  switch (reason) {
    case 'rolled_back':
      return `the server’s storage failed over and lost ${range ?? 'its last events'}.`;
    case 'unknown_epoch':
      return 'what it held before is gone from the server’s storage.';
    case 'trimmed':
    case 'too_far':
      return 'you were away for long, and what happened meanwhile is not kept event by event.';
    case 'gap':
      return 'events were missing, so it was read anew.';
    default:
      return `the server says “${reason}”.`;
  }
}

/** Says in each pane that its room was reset, until the user has seen it. */
export function showResets(rooms: Readonly<Record<string, Pick<Room, 'onReset'>>>): void {
  for (const [pane, room] of Object.entries(rooms)) {
    room.onReset((reset) => {
      const note = byId(`${pane}-reset`);
      const text = `This room was reset: ${textOf(reset)}`;
      const hide = (): void => void (note.hidden = true);
      note.replaceChildren(make('p', '', text), button('✕', 'Dismiss', hide));
      note.hidden = false;
    });
  }
}
