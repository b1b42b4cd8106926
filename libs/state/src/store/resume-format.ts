import { RoomGate } from '@wss/core';
import { isEpoch, type LogEntry, lastSeq, type Position, type ResetReason } from '@wss/protocol';
import { isDigits, isText, strangeReply } from '@wss/redis';
import { decodeStored } from './log-format.js';
import { decodeDocuments, lostParts, splitOnce } from './commit-format.js';
import { type ClosedEpoch, READ_PART, type ResumeReply, type ResumeRequest } from './room-store.js';

/** The arguments that the head of `room_resume.lua` describes, without the nonce and the last. */
export function encodeResume(request: ResumeRequest): (string | number)[] {
  const { from, after, newest = 0, most = 1_000, limits = READ_PART, documents = false, gate = '' } = request;
  const wanted = documents === 'ifLost' ? 2 : Number(documents);
  const { entries, bytes } = limits;
  // A position with an empty epoch is still a position.
  const reader = [from ? `=${from.epoch}` : '', from?.seq ?? after ?? '', newest, most];
  return [...reader, wanted, entries, bytes, gate, Number(request.holds ?? false)];
}

function decodeLineage(text: string): ClosedEpoch[] {
  if (text === '') return [];
  const epochs = text.split(',').map((past) => {
    const at = past.indexOf('@');
    return { epoch: past.slice(0, at), end: Number(past.slice(at + 1)) };
  });
  // A position without a nonce can't be continued; only the script still needs its number.
  return epochs.filter(({ epoch }) => !epoch.endsWith('.'));
}

/**
 * Reads the reply of `room_resume.lua`.
 * @throws RedisError when it is none
 */
export function decodeResume(reply: readonly (string | number)[]): ResumeReply {
  if (!isReply(reply)) throw strangeReply();
  const [status, epoch, seq, n, lostFrom, lostTo, replicationId, lineage, count] = reply;
  const [line, list] = splitOnce(String(status), '\n');
  const [mode, lost, gate] = line.split(' ');
  const entriesAt = 9 + 2 * Number(count);
  const entries: LogEntry[] = [];
  for (let i = entriesAt; i + 1 < reply.length; i += 2) entries.push(decodeStored(reply[i], reply[i + 1]));
  const reason = mode === 'live' || mode === 'replay' ? undefined : (mode as ResetReason);
  const position = { epoch: String(epoch), seq: Number(seq) };
  return {
    position,
    entries,
    more: endsBefore(entries, position),
    documents: decodeDocuments(reply.slice(9, entriesAt)),
    lineage: decodeLineage(String(lineage)),
    replicationId: String(replicationId),
    ...lostParts(lost!),
    ...(gate !== undefined && { gate: RoomGate.read(gate, list) }),
    ...(reason && { reason }),
    ...(reason === 'rolled_back' && { lost: { from: Number(lostFrom), to: Number(lostTo) } }),
    ...(n !== '' && { n: Number(n) }),
  };
}

/** A position that is none would be believed by all members of the room. */
function isReply(reply: unknown): boolean {
  if (!Array.isArray(reply) || reply.length < 9) return false;
  const [status, epoch, seq, , , , , , count] = reply as unknown[];
  return isText(status) && isEpoch(epoch) && isDigits(String(seq)) && isDigits(String(count));
}

function endsBefore(entries: readonly LogEntry[], { seq }: Position): boolean {
  const newest = entries.at(-1);
  return newest !== undefined && lastSeq(newest) < seq;
}
