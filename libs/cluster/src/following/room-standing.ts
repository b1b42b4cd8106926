import { gatePosition, RoomGate } from '@wss/core';
import { type LogEntry, lastSeq, type Position } from '@wss/protocol';
import type { ClosedEpoch, ResumeReply } from '@wss/state';
import { RoomHistory } from './room-history.js';

type ReadPosition = Pick<ResumeReply, 'position' | 'lineage' | 'replicationId' | 'gate'>;

/** Knows where a followed room stands: what was delivered of it, and what of it is at hand. */
export class RoomStanding {
  /** Last position that was delivered. */
  position: Position;
  lineage: readonly ClosedEpoch[];
  /** The engine's history that the position's epoch is bound to. */
  replicationId: string;
  /** Number of the oldest event that the log had in this epoch; 0 if that is not known. */
  oldest = 0;
  /** Endings of memberships, up to the position at least (R38). */
  gate: RoomGate;
  readonly history: RoomHistory;

  constructor({ position, lineage, replicationId, gate = RoomGate.OPEN }: ReadPosition) {
    this.position = position;
    this.lineage = lineage;
    this.replicationId = replicationId;
    this.gate = gate;
    this.history = new RoomHistory(position.seq + 1);
  }

  moveTo({ position, lineage, replicationId, gate }: ReadPosition): void {
    if (this.position.epoch !== position.epoch) this.oldest = 0;
    this.position = position;
    this.lineage = lineage;
    this.replicationId = replicationId;
    if (gate) this.gate = gate;
  }

  /** Keeps entries that are delivered, and the endings among them. */
  append(entries: readonly LogEntry[]): void {
    this.history.append(entries);
    const { epoch } = this.position;
    for (const entry of entries) {
      if (entry.ending)
        this.gate = this.gate.with(entry.ending, gatePosition({ epoch, seq: lastSeq(entry) }));
    }
  }

  /** True if the epoch is known to be closed. */
  hasClosed(epoch: string): boolean {
    return this.lineage.some((closed) => closed.epoch === epoch);
  }
}
