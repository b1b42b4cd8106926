import type { Position } from '@wss/protocol';
import type { ClosedEpoch, ResumeReply } from '@wss/state';
import { RoomHistory } from './room-history.js';

type ReadPosition = Pick<ResumeReply, 'position' | 'lineage' | 'replicationId'>;

/** Knows where a followed room stands: what was delivered of it, and what of it is at hand. */
export class RoomStanding {
  /** Last position that was delivered. */
  position: Position;
  lineage: readonly ClosedEpoch[];
  /** The engine's history that the position's epoch is bound to. */
  replicationId: string;
  /** Number of the oldest event that the log had in this epoch; 0 if that is not known. */
  oldest = 0;
  readonly history: RoomHistory;

  constructor({ position, lineage, replicationId }: ReadPosition) {
    this.position = position;
    this.lineage = lineage;
    this.replicationId = replicationId;
    this.history = new RoomHistory(position.seq + 1);
  }

  moveTo({ position, lineage, replicationId }: ReadPosition): void {
    if (this.position.epoch !== position.epoch) this.oldest = 0;
    this.position = position;
    this.lineage = lineage;
    this.replicationId = replicationId;
  }

  /** True if the epoch is known to be closed. */
  hasClosed(epoch: string): boolean {
    return this.lineage.some((closed) => closed.epoch === epoch);
  }
}
