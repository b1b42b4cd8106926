import { CommitPlan } from './commit-plan.js';
import type { NodeLane } from './node-lane.js';
import { MAX_BATCH, type Pending } from './pending-work.js';
import type { RoomCopy } from './room-copy.js';
import type { Committed } from './room-store.js';

/** Works that go out together, and what they are planned to leave. */
export interface Batch {
  readonly open: Pending[];
  readonly plan: CommitPlan;
}

/**
 * The batch that is planned while the commit before it is under way, on the documents as that one will leave them; so
 * a node computes while Redis writes. It is sent only once that commit has counted (R12). If it did not, the works
 * are planned again.
 */
export class LookAhead {
  private before?: CommitPlan;
  private next?: Batch;

  constructor(
    private readonly copy: RoomCopy,
    private readonly lane: NodeLane,
  ) {}

  /** A commit of this plan is under way. */
  begin(plan: CommitPlan): void {
    this.before = plan;
  }

  /** Plans one more work, in the order given. @returns false where nothing is under way or the batch is full */
  add(pending: Pending): boolean {
    if (!this.before || (this.next && this.next.open.length >= MAX_BATCH)) return false;
    this.next ??= { open: [], plan: new CommitPlan(this.copy, this.lane, this.before) };
    this.next.open.push(pending);
    this.next.plan.add(pending.work);
    return true;
  }

  /** The commit counted, so what was planned on it holds. */
  confirm(reply: Committed): void {
    this.before = undefined;
    this.next?.plan.follow(reply);
  }

  /** The commit did not count, or others come first. @returns the works that are to be planned again */
  drop(): Pending[] {
    const open = this.next?.open ?? [];
    this.before = undefined;
    this.next = undefined;
    return open;
  }

  /** What is planned and may be sent now. */
  take(): Batch | undefined {
    const { next } = this;
    this.next = undefined;
    return next;
  }
}
