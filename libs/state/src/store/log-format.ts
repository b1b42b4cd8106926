import { decodeEnding, encodeEnding } from '@wss/core';
import type { EncodedEvent, LogEntry, Position } from '@wss/protocol';

/*
 * The format of log entries in the engine and on a room's channel. JSON holds no raw line break, so lines separate
 * the parts, and JSON need not be parsed to pass an event on.
 *
 * body     "<number of events>[+|!]" LF (event LF data)…  [LF patch, announced by the plus, or LF ending]
 * log      body
 * message  "<epoch>:<last seq> <first seq>" LF body (LF body)…
 */

/** Encodes the entry that one command appends to the log. */
export function encodeBody({ events, patch, ending }: Omit<LogEntry, 'first'>): string {
  const mark = ending ? '!' : patch === undefined ? '' : '+';
  const lines = [`${events.length}${mark}`];
  for (const { event, data } of events) lines.push(event, data);
  if (ending) lines.push(encodeEnding(ending));
  else if (patch !== undefined) lines.push(patch);
  return lines.join('\n');
}

/** Decodes an entry as the log has it: its last event's number stands in the id. */
export function decodeStored(id: unknown, body: unknown): LogEntry {
  const text = String(id);
  return decodeBody(String(body), Number(text.slice(text.indexOf('-') + 1)));
}

/** Decodes a body whose last event has this sequence number. */
export function decodeBody(body: string, last: number): LogEntry {
  const first = last - Number.parseInt(body, 10) + 1;
  return takeEntry(body.split('\n'), 0, first)[0];
}

/** Encodes the message that is published for one commit. */
export function encodeMessage(position: Position, first: number, bodies: readonly string[]): string {
  return `${positionKey(position)} ${first}\n${bodies.join('\n')}`;
}

/** Head of a message, read without touching the rest. */
export interface MessageHead {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  /** Where the first body begins. */
  readonly bodyAt: number;
}

/** Reads the epoch and the range of numbers of a message. */
export function readMessageHead(message: string): MessageHead {
  const end = message.indexOf('\n');
  const space = message.lastIndexOf(' ', end);
  const colon = message.lastIndexOf(':', space);
  return {
    epoch: message.slice(0, colon),
    last: Number(message.slice(colon + 1, space)),
    first: Number(message.slice(space + 1, end)),
    bodyAt: end + 1,
  };
}

/** The entries of a message. */
export function decodeMessage(message: string): { epoch: string; entries: LogEntry[] } {
  const { epoch, first, bodyAt } = readMessageHead(message);
  return { epoch, entries: takeEntries(message.slice(bodyAt).split('\n'), first) };
}

function takeEntries(lines: readonly string[], first: number): LogEntry[] {
  const entries: LogEntry[] = [];
  let next = first;
  for (let line = 0; line < lines.length;) {
    const [entry, after] = takeEntry(lines, line, next);
    entries.push(entry);
    next += entry.events.length;
    line = after;
  }
  return entries;
}

function takeEntry(lines: readonly string[], from: number, first: number): [LogEntry, number] {
  const head = lines[from]!;
  const count = Number.parseInt(head, 10);
  const events: EncodedEvent[] = [];
  let line = from + 1;
  for (let i = 0; i < count; i++, line += 2) events.push({ event: lines[line]!, data: lines[line + 1]! });
  if (head.endsWith('!')) return [{ first, events, ending: decodeEnding(lines[line]!) }, line + 1];
  if (!head.endsWith('+')) return [{ first, events }, line];
  return [{ first, events, patch: lines[line]! }, line + 1];
}

/**
 * A position in the form that documents store, and in which positions are compared: only equal strings name the same
 * point (R3).
 */
export function positionKey({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** Sequence number in a stored position; 0 for ''. */
export function seqOf(position: string): number {
  return position === '' ? 0 : Number(position.slice(position.lastIndexOf(':') + 1));
}

/** Number in an epoch; grows with every new epoch of a room. */
export function epochNumber(epoch: string): number {
  return Number.parseInt(epoch, 10);
}
