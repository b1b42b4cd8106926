import type { NodeLane } from '../lanes/node-lane.js';
import type { CommitReply, CommitRequest } from '../store/room-store.js';
import { CommitAttempts, type GivenUp, takeNumbers } from './commit-attempts.js';
import type { CommitPlan } from './commit-plan.js';
import type { CommitterContext } from './committer-context.js';
import { type PendingWork, withoutEffect } from './pending-work.js';

/** Works that go out together, and the plan of their commit. */
export interface Batch {
  readonly open: readonly PendingWork[];
  readonly plan: CommitPlan;
}

/** Sends the batches of one room, one after another, and proves the outcome of each. */
export class BatchSender {
  constructor(
    private readonly context: CommitterContext,
    private readonly lane: NodeLane,
  ) {}

  /** Sends a commit until its outcome is known, or gives up. */
  send(request: CommitRequest, { open, plan }: Batch): Promise<CommitReply | GivenUp> {
    for (const pending of open) pending.tried = true;
    const attempts = new CommitAttempts(this.context, request, {
      prepare: () => (plan.nodeEntries > 0 ? this.lane.open() : undefined),
      onUnknown: () => {
        for (const pending of open) pending.unknown = true;
      },
    });
    return attempts.resolve();
  }

  /**
   * After a lost answer: proves that the node's numbers of a batch are recorded, by recording them without an effect
   * where they are not (R12). Until that is done no other commit of the room may be sent.
   * @param onWait called between two attempts
   */
  async closeNodeNumbers(request: CommitRequest, onWait: () => void): Promise<void> {
    const own = request.entries.filter(({ lane }) => lane.id === this.lane.lane.id);
    if (own.length === 0) return;
    const entries = own.map(withoutEffect);
    const isTaken = await takeNumbers(this.context, { ...request, documents: [], entries }, onWait);
    if (isTaken) this.lane.advance(own.length);
    else this.lane.renew();
  }
}
