import { encodeLogEntry, type LogEntry } from '@wss/protocol';
import { textFrame } from './text-frame.js';

/** The frames of one log entry. */
export class EntryFrames {
  readonly plain: readonly Buffer[];
  private withPatch?: readonly Buffer[];

  constructor(
    private readonly room: string,
    private readonly entry: LogEntry,
  ) {
    this.plain = encodeLogEntry(room, entry, false).map(textFrame);
  }

  /** The frames with the patch on the last event. */
  patched(): readonly Buffer[] {
    const { room, entry, plain } = this;
    if (entry.patch === undefined) return plain;
    return (this.withPatch ??= [...plain.slice(0, -1), textFrame(encodeLogEntry(room, entry, true).at(-1)!)]);
  }
}

// An entry belongs to one room for good, and is the same object for all its receivers on this node.
const replayed = new WeakMap<LogEntry, EntryFrames>();

/**
 * The frames of an entry that is replayed, built once for all clients. Live entries don't come here: few of them are
 * replayed, and frames that are kept as long as the entries cost more to collect than to build.
 */
export function replayedFrames(room: string, entry: LogEntry): EntryFrames {
  let frames = replayed.get(entry);
  if (!frames) replayed.set(entry, (frames = new EntryFrames(room, entry)));
  return frames;
}
