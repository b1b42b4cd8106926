import { encodeLogEntry, type LogEntry } from '@wss/protocol';
import { textFrame } from './text-frame.js';

/** The frames of one log entry, built once for all clients, live or replayed. */
export interface EntryFrames {
  readonly plain: readonly Buffer[];
  /** The frames with the patch on the last event. */
  patched(): readonly Buffer[];
}

// An entry belongs to one room for good, and is the same object for all its receivers on this node.
const cache = new WeakMap<LogEntry, EntryFrames>();

export function entryFrames(room: string, entry: LogEntry): EntryFrames {
  let frames = cache.get(entry);
  if (!frames) cache.set(entry, (frames = build(room, entry)));
  return frames;
}

function build(room: string, entry: LogEntry): EntryFrames {
  const plain = encodeLogEntry(room, entry, false).map(textFrame);
  let patched: readonly Buffer[] | undefined = entry.patch === undefined ? plain : undefined;
  return {
    plain,
    patched: () =>
      (patched ??= [...plain.slice(0, -1), textFrame(encodeLogEntry(room, entry, true).at(-1)!)]),
  };
}
