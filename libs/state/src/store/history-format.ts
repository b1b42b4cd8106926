import { RoomGate } from '@wss/core';
import { isEpoch, type LogEntry } from '@wss/protocol';
import { isDigits, isText, strangeReply } from '@wss/redis';
import { lostParts, splitOnce } from './commit-format.js';
import { decodeStored } from './log-format.js';
import type { HistoryReply, HistoryRequest } from './room-store.js';

/** The arguments that the head of `room_history.lua` describes, without the nonce and the last. */
export function encodeHistory({ epoch, before, events, bytes }: HistoryRequest): (string | number)[] {
  return [epoch === undefined ? '' : `=${epoch}`, before ?? '', events, bytes];
}

/**
 * Reads the reply of `room_history.lua`.
 * @throws RedisError when it is none
 */
export function decodeHistory(reply: readonly (string | number)[]): HistoryReply {
  if (!isReply(reply)) throw strangeReply();
  const [status, epoch, seq, oldest, lostFrom, lostTo] = reply;
  const [line, list] = splitOnce(String(status), '\n');
  const [mode, lost, gate] = line.split(' ');
  const entries: LogEntry[] = [];
  for (let i = reply.length - 2; i >= 6; i -= 2) entries.push(decodeStored(reply[i], reply[i + 1]));
  return {
    position: { epoch: String(epoch), seq: Number(seq) },
    entries,
    oldest: Number(oldest),
    ...lostParts(lost!),
    ...(gate !== undefined && { gate: RoomGate.read(gate, list) }),
    ...(mode !== 'page' && { reason: mode as 'rolled_back' | 'unknown_epoch' }),
    ...(mode === 'rolled_back' && { lost: { from: Number(lostFrom), to: Number(lostTo) } }),
  };
}

function isReply(reply: unknown): boolean {
  if (!Array.isArray(reply) || reply.length < 6 || reply.length % 2 !== 0) return false;
  const [status, epoch, seq, oldest] = reply as unknown[];
  return isText(status) && isEpoch(epoch) && isDigits(String(seq)) && isDigits(String(oldest));
}
