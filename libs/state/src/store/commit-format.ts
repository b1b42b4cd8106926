import { type RateCharge, RoomGate } from '@wss/core';
import { isEpoch, type Position } from '@wss/protocol';
import { type DataLinks, isDigits, isText, type RoomKeys, strangeReply } from '@wss/redis';
import { shiftSlots } from './counter-slots.js';
import { encodeBody } from './log-format.js';
import { newNonce } from './nonce.js';
import { decodeDocument, decodeRecord, encodeOutcome } from './record-format.js';
import type {
  CommitEntry,
  CommitReply,
  CommitRequest,
  RoomPart,
  StoredDocument,
  Verdict,
} from './room-store.js';

/* The format of a commit on its way to `room_commit.lua` and back; the head of the script defines it. */

/** The keys behind those of the room, and the arguments, as the head of `room_commit.lua` describes them. */
export function encodeCommit(
  request: CommitRequest,
  keys: RoomKeys,
  { publish, idle }: { readonly publish: DataLinks['publish']; readonly idle: string },
): { lanes: string[]; further: string[]; args: string[] } {
  const { history, inQueue, judgeOnly, documents, entries, gate = '', opens = true } = request;
  const raises = entries.some(({ ending }) => ending);
  const passed = gate === '' && !raises && opens ? '' : `#${gate}${raises ? '!' : ''}${opens ? '' : '~'}`;
  const mode = `${judgeOnly ? 2 : inQueue === undefined ? 0 : `@${inQueue}`}${passed}`;
  const total = entries.reduce((sum, { events }) => sum + events.length, 0);
  const counts = `${mode} ${entries.length} ${documents.length} ${total}`;
  const head = `${counts} ${publish} ${history.ttlMs} ${idle} ${history.events} ${newNonce()}`;
  const bodies: string[] = [];
  const operations: string[] = [];
  const onces: string[] = [];
  const args = [head, ''];
  entries.forEach((entry, index) => {
    const { events, counters } = entry;
    const shift = counters ? operations.length + 1 : undefined;
    for (const { name, by, min = '-', max = '-' } of counters ?? []) {
      operations.push(`${index + 1} ${by} ${min} ${max} ${name}`);
    }
    const { id, once } = entry.lane;
    if (once) onces.push(`o ${index + 1} ${once.most} ${id}`);
    const body = events.length === 0 ? '' : shifted(encodeBody(entry), shift);
    if (body !== '') bodies.push(body);
    const goesOn = entry.lane === entries[index - 1]?.lane;
    args.push(encodeEntry(entry, { bodyBytes: Buffer.byteLength(body), shift, goesOn }));
  });
  args[1] = bodies.join('\n');
  for (const { name, base, json = '', entry } of documents) {
    // Without JSON the document is not stored.
    args.push(`${(entry ?? 0) + 1} ${base} ${Buffer.byteLength(name)} ${name}|${json}`);
  }
  const limits = chargedLimits(entries);
  for (const limit of limits) operations.push(encodeLimit(limit, entries.length));
  args.push(...operations, ...onces);
  const further = limits.map(({ charge }) => keys.charge(charge.name));
  if (onces.length > 0) further.push(keys.once);
  return { lanes: entries.map(({ lane }) => keys.lane(lane.id)), further, args };
}

/** @param goesOn true if the entry before it is in the same lane */
function encodeEntry(
  entry: CommitEntry,
  { bodyBytes, shift, goesOn }: { bodyBytes: number; shift: number | undefined; goesOn: boolean },
): string {
  const { lane, n, ack, epoch = '', fingerprint, outcome } = entry;
  // A text without the form of an epoch is none of the room's, and the script could not parse it.
  const known = isEpoch(epoch) ? epoch : '';
  const ends = goesOn ? 0 : lane.ofNode ? -lane.endsAt : lane.endsAt;
  const head = `${n} ${ack} ${lane.generation} ${ends} ${known} ${bodyBytes}`;
  return `${head}|${fingerprint}|${shifted(encodeOutcome(outcome), shift)}`;
}

/** A limit, and the numbers of the entries that are charged to it. */
interface ChargedLimit {
  readonly charge: RateCharge;
  readonly of: number[];
}

const NO_LIMITS: readonly ChargedLimit[] = [];

/** The limits of a commit, each once, in the order in which the entries name them. */
function chargedLimits(entries: readonly CommitEntry[]): readonly ChargedLimit[] {
  let limits: Map<string, ChargedLimit> | undefined;
  for (let i = 0; i < entries.length; i++) {
    const { charges } = entries[i]!;
    if (!charges) continue;
    limits ??= new Map();
    for (const charge of charges) {
      const known = limits.get(charge.name);
      if (known) known.of.push(i + 1);
      else limits.set(charge.name, { charge, of: [i + 1] });
    }
  }
  return limits ? [...limits.values()] : NO_LIMITS;
}

function encodeLimit({ charge: { stepUs, burstUs }, of }: ChargedLimit, entries: number): string {
  const text = `q${of.length * stepUs} ${burstUs} ${stepUs}`;
  return of.length === entries ? text : `${text} ,${of.join(',')},`;
}

function shifted(text: string, by?: number): string {
  return by === undefined ? text : shiftSlots(text, by);
}

/**
 * Reads the reply of `room_commit.lua`.
 * @throws RedisError when it is none
 */
export function decodeCommit(
  answer: string | readonly string[],
  entries: readonly CommitEntry[],
): CommitReply {
  const reply = typeof answer === 'string' ? [answer] : answer;
  if (!Array.isArray(reply) || !isText(reply[0])) throw strangeReply();
  const [line, list] = splitOnce(reply[0]!, '\n');
  const [status, epoch, digits, ahead, replicationId, lost, more] = line.split(' ') as StatusLine;
  if (!isEpoch(epoch) || !isDigits(digits) || lost === undefined) throw strangeReply();
  const position: Position = { epoch, seq: Number(digits) };
  if (status === 'committed') {
    const seqs = seqsOf(entries, position.seq);
    const counters = reply.slice(1).map(Number);
    const committed = { status, position, seqs, counters, ahead: Number(ahead), replicationId } as const;
    const isPlain = lost === '-' && more === undefined;
    return isPlain ? committed : { ...committed, ...lostParts(lost), ...(more && { unheard: true }) };
  }
  const limits = chargedLimits(entries);
  return {
    status,
    position,
    conflict: ahead !== '-',
    ...(/\d/.test(ahead) && { ahead: Number(ahead) }),
    replicationId,
    ...lostParts(lost),
    ...(more === 'deleted' && { isDeleted: true }),
    ...(more !== undefined && more !== 'deleted' && { gate: RoomGate.read(more, list) }),
    verdicts: reply.slice(1, 1 + entries.length).map((text) => decodeVerdict(text, limits)),
    documents: decodeDocuments(reply.slice(1 + entries.length)),
  };
}

type StatusLine = [
  status: CommitReply['status'],
  epoch: string,
  digits: string,
  ahead: string,
  replicationId: string,
  lost: string,
  /** Of a commit `unheard`, of a judgement the gate or `deleted`. */
  more?: string,
];

/** Both parts around a separator; the second one is '' without it. */
export function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

const PARTS: Record<string, RoomPart> = { m: 'meta', d: 'documents', x: 'log', v: 'counters' };

/** The parts that these letters stand for, see `room_life.lua`; `-` for none. */
export function lostParts(letters: string): { lostParts?: RoomPart[] } {
  return letters === '-' ? {} : { lostParts: [...letters].map((letter) => PARTS[letter]!) };
}

/** Every event takes one number and the last one is known, so the others follow. */
function seqsOf(entries: readonly CommitEntry[], last: number): number[] {
  let seq = entries.reduce((rest, { events }) => rest - events.length, last);
  return entries.map(({ events }) => (seq += events.length));
}

/** @param limits of the commit, as {@link encodeCommit} named them */
function decodeVerdict(text: string, limits: readonly ChargedLimit[]): Verdict {
  const bar = text.indexOf('|');
  const kind = bar < 0 ? text : text.slice(0, bar);
  const rest = text.slice(bar + 1);
  switch (kind) {
    case 'dup':
      return rest === '' ? { kind: 'duplicate' } : { kind: 'duplicate', record: decodeRecord(rest) };
    case 'order':
      return { kind: 'out_of_order', expected: Number(rest) };
    case 'bound':
      return { kind: 'bound', operation: Number(rest) - 1 };
    case 'limited': {
      const [limit, retryInMs] = rest.split(' ').map(Number);
      return { kind: 'limited', limit: limits[limit! - 1]!.charge.name, retryInMs: retryInMs! };
    }
    case 'full':
      return { kind, retryInMs: Number(rest) };
    default:
      return { kind: kind as 'ok' | 'reused' | 'window' | 'expired' | 'later' };
  }
}

/** Reads documents from a list of names and stored texts. */
export function decodeDocuments(flat: readonly (string | number)[]): Map<string, StoredDocument> {
  const documents = new Map<string, StoredDocument>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const document = decodeDocument(String(flat[i + 1]));
    if (document) documents.set(String(flat[i]), document);
  }
  return documents;
}
