import type { ErrorCode } from './error-codes.js';
import {
  type ClientFrame,
  type ErrorBody,
  type LogEntry,
  type ReplyPosition,
  type RequestId,
  lastSeq,
} from './frame.js';
import { parseWithoutProto, withoutDeepParts } from './json-text.js';
import { isEpoch, MAX_EVENT_LENGTH } from './names.js';

/** Deepest nesting that a client's data may have; the frame itself is level 1. */
export const MAX_DEPTH = 32;

/** Longest string `id`, bytes of UTF-8. */
const MAX_ID_BYTES = 64;

/** A frame that breaks the protocol. Its code is always `bad_frame`. */
export class FrameError extends Error {
  readonly code = 'bad_frame' satisfies ErrorCode;

  constructor(
    message: string,
    /** The request's id where one could be read, so that the error can name it. */
    readonly id?: RequestId,
  ) {
    super(message);
    this.name = 'FrameError';
  }
}

/**
 * Reads a frame from its text; unknown properties of the envelope are ignored. Text that nests too deep is refused before
 * anything of it is parsed but the envelope.
 * @throws FrameError when it is not a JSON object, nests deeper than {@link MAX_DEPTH}, or its envelope is wrong.
 */
export function parseFrame(text: string): ClientFrame {
  // Short text can't nest too deep.
  const shallow = text.length > 2 * MAX_DEPTH ? withoutDeepParts(text, MAX_DEPTH) : undefined;
  const frame = envelopeOf(parseJson(shallow ?? text));
  if (shallow !== undefined) throw tooDeep(frame);
  return frame;
}

/**
 * Checks a value that was parsed elsewhere, like {@link parseFrame}.
 * @throws FrameError like {@link parseFrame}
 */
export function toClientFrame(value: unknown): ClientFrame {
  const frame = envelopeOf(value);
  if (deeperThan(value, MAX_DEPTH)) throw tooDeep(frame);
  return frame;
}

function tooDeep({ id }: ClientFrame): FrameError {
  return new FrameError(`the frame nests deeper than ${MAX_DEPTH} levels`, id);
}

function envelopeOf(value: unknown): ClientFrame {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FrameError('the frame is not a JSON object');
  }
  const frame = value as Record<keyof ClientFrame, unknown>;
  if (frame.id !== undefined && !isRequestId(frame.id)) {
    throw new FrameError(`"id" must be an integer or a string of at most ${MAX_ID_BYTES} bytes`);
  }
  const problem = envelopeProblem(frame);
  if (problem !== undefined) throw new FrameError(problem, frame.id);
  return frame as ClientFrame;
}

/**
 * Parses JSON without letting a key named `__proto__` through.
 * @throws FrameError when it is not JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return parseWithoutProto(text);
  } catch {
    throw new FrameError('the frame is not JSON');
  }
}

function envelopeProblem(frame: Record<keyof ClientFrame, unknown>): string | undefined {
  const { event, room, n, ack, epoch } = frame;
  if (typeof event !== 'string' || event === '' || event.length > MAX_EVENT_LENGTH) {
    return `"event" must be a string of 1 to ${MAX_EVENT_LENGTH} characters`;
  }
  if (room !== undefined && (typeof room !== 'string' || room === '')) return '"room" must be a string';
  if (ack !== undefined && !isCount(ack, 0)) return '"ack" must be an integer from 0';
  if (epoch !== undefined && !isEpoch(epoch)) return '"epoch" must be an epoch from a server';
  if (n === undefined) return undefined;
  if (!isCount(n, 1)) return '"n" must be an integer from 1';
  if (room === undefined || frame.id === undefined) return '"n" needs a "room" and an "id"';
  return undefined;
}

function isCount(value: unknown, from: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= 1e12;
}

function isRequestId(id: unknown): id is RequestId {
  if (typeof id === 'number') return Number.isSafeInteger(id);
  return typeof id === 'string' && id.length <= MAX_ID_BYTES && utf8Length(id) <= MAX_ID_BYTES;
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** True if objects and lists nest deeper than so many levels; the value itself is level 1. */
export function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return parts.some((part) => deeperThan(part, levels - 1));
}

/** Encodes the reply to a request; `undefined` data is `null`. */
export function encodeReply(id: RequestId, data: unknown, position?: ReplyPosition): string {
  return encodeReplyJson(id, JSON.stringify(data) ?? 'null', position);
}

/** Like {@link encodeReply}, for data that is JSON already. */
export function encodeReplyJson(id: RequestId, json: string, position?: ReplyPosition): string {
  return `{"id":${JSON.stringify(id)},"data":${json}${encodePosition(position)}}`;
}

/** Encodes an error: as the reply to its request, or without an id as an `error` event. */
export function encodeError(id: RequestId | undefined, error: ErrorBody, position?: ReplyPosition): string {
  const json = JSON.stringify(error);
  if (id === undefined) return `{"event":"error","data":${json}}`;
  return `{"id":${JSON.stringify(id)},"error":${json}${encodePosition(position)}}`;
}

function encodePosition(position: ReplyPosition | undefined): string {
  if (!position) return '';
  const json = JSON.stringify(position);
  return json === '{}' ? '' : `,${json.slice(1, -1)}`;
}

/** Encodes an event without a sequence number: to one client or user, or volatile in a room. */
export function encodeEvent(event: string, data: unknown, room?: string): string {
  return encodeEventJson(JSON.stringify(event), JSON.stringify(data) ?? 'null', room);
}

/** Like {@link encodeEvent}, for parts that are JSON already. */
export function encodeEventJson(event: string, data: string, room?: string): string {
  return room === undefined
    ? `{"event":${event},"data":${data}}`
    : `{"event":${event},"room":${JSON.stringify(room)},"data":${data}}`;
}

/**
 * Encodes the events of a log entry, one frame each, in order.
 * @param withPatch adds the entry's patch to its last event, for clients that keep a live copy.
 */
export function encodeLogEntry(room: string, entry: LogEntry, withPatch: boolean): string[] {
  const roomJson = JSON.stringify(room);
  const last = entry.events.length - 1;
  return entry.events.map(({ event, data }, index) => {
    const patch = withPatch && index === last && entry.patch ? `,"patch":${resolvePatch(entry)}` : '';
    return `{"event":${event},"room":${roomJson},"seq":${entry.first + index},"data":${data}${patch}}`;
  });
}

const PATCH_BASE = /\x03(\d+)\x04/g;

/** Fills in the base versions of a patch that were only known as a distance when it was made. */
function resolvePatch(entry: LogEntry): string {
  const patch = entry.patch!;
  if (!patch.includes('\x03')) return patch;
  return patch.replace(PATCH_BASE, (_all, back: string) => String(lastSeq(entry) - Number(back)));
}
