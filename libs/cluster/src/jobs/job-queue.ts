/** Largest number of outstanding jobs of a group, waiting or being done. */
export const MAX_OUTSTANDING_JOBS = 10_000;

/** A job that a node holds until it reports its end. */
export interface TakenJob {
  /** Name of the job in the queue. */
  readonly entry: string;
  /** The text that was added. */
  readonly text: string;
  /** Number of times that nodes have taken it, this time included. */
  readonly deliveries: number;
}

/** A job that was given up. */
export interface DeadJob {
  /** The text that was added. */
  readonly text: string;
  /** Event of the job; empty if unknown. */
  readonly event: string;
  /** The reason, in words. */
  readonly reason: string;
  /** Number of attempts. */
  readonly attempts: number;
}

/** Largest number of given-up jobs that a group keeps; the oldest go first. */
export const MAX_DEAD_JOBS = 1_000;
/** How long a job that was given up is kept, ms. */
export const DEAD_JOB_MS = 7 * 86_400_000;

/** Reason and number of attempts of a job that was given up because no node could handle it. */
export const UNHANDLED = { reason: 'no node that can read it has a handler for its event', attempts: 0 };
/** Largest number of such jobs that are given up at a time. */
export const MOST_UNHANDLED = 100;

/** How long a job counts as failed beyond the time of its next attempt, ms: a release without marks may have ended it. */
export const FAILED_MARK_MS = 3_600_000;

/** A job of a node whose attempt failed. */
export interface FailedJob {
  /** The node that holds it. */
  readonly nodeId: string;
  /** Time until its next attempt, ms. */
  readonly waitMs: number;
}

/**
 * Numbers of a group's jobs. An outstanding job waits, or has failed and is held for its next attempt, or runs. A job of
 * a node that died counts as that node left it until another node takes it.
 */
export interface JobCounts {
  /** Jobs that are not done and not given up, on all nodes. */
  readonly outstanding: number;
  /** Those of them that no node holds. */
  readonly waiting: number;
  /** Those of them whose last attempt failed and whose next one has not begun. */
  readonly failed: number;
  /** Those that wait and that only nodes have met that can't read them or have no handler for them. */
  readonly unhandled: number;
  /** Given up and kept. */
  readonly dead: number;
}

/** Options of a node that takes jobs. */
export interface TakeOptions {
  /** The node that takes the jobs. */
  readonly nodeId: string;
  /** Largest number of jobs to take, from 1. */
  readonly count: number;
  /** Entries that the node knows it holds; others that it holds are returned again. */
  readonly held: readonly string[];
  /** Events that the node has handlers for; it takes no others. Default: all. */
  readonly events?: readonly string[];
  /** Newest version of packets that the node reads; it takes no newer ones. */
  readonly version: number;
  /** Also takes jobs that dead nodes hold. Default: does not. */
  readonly dead?: DeadNodes;
}

/** The nodes that count as dead. */
export interface DeadNodes {
  /** The nodes that live, as a registry lists them; it may be out of date by a little. */
  readonly live: readonly string[];
  /** A job counts as left behind only if it was taken at least this long ago by the engine's clock, ms. */
  readonly afterMs: number;
}

/**
 * Jobs of groups of nodes, in the order in which they were added. A job that was taken is held by that node alone,
 * until it is done or its node is dead. So each job is done at least once. It is done again if a node that counts as
 * dead still works, or an answer of the engine is lost.
 */
export abstract class JobQueue {
  /**
   * Adds a job at the end.
   * @param event by which nodes know if they can handle it
   * @returns false if {@link MAX_OUTSTANDING_JOBS} jobs are outstanding: then it was not added
   * @throws Error when the engine can't be reached, refuses, or does not answer
   */
  abstract add(group: string, text: string, event: string): Promise<boolean>;

  /**
   * Takes jobs: first those that this node holds without knowing of it, then those that other nodes met and can't
   * handle, then those of dead nodes, then new ones. A job that the node can't handle stays where it is, without an
   * attempt.
   * @throws Error when the engine can't be reached or does not answer; jobs may be held by the node then
   */
  abstract take(group: string, options: TakeOptions): Promise<TakenJob[]>;

  /**
   * Notes that an attempt at a job failed, so that it waits for its next one. A job that the node does not hold any more
   * stays as it is.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract markFailed(group: string, entry: string, job: FailedJob): Promise<void>;

  /**
   * Notes that the next attempt at a job begins.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract markRunning(group: string, entry: string, nodeId: string): Promise<void>;

  /**
   * Removes a job for good; one that is gone already is not an error.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract done(group: string, entry: string): Promise<void>;

  /**
   * Gives a job up: it is kept for operators, of {@link MAX_DEAD_JOBS} the last, for {@link DEAD_JOB_MS}. One that is
   * gone already is not an error.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract bury(group: string, entry: string, why: Pick<DeadJob, 'reason' | 'attempts'>): Promise<void>;

  /**
   * Gives up jobs that nodes met and could not handle, and that no other node took for this long, ms; at most a
   * hundred.
   * @returns the number of jobs
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract buryUnhandled(group: string, afterMs: number): Promise<number>;

  /**
   * Jobs that were given up, the newest first.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract dead(group: string, count: number): Promise<DeadJob[]>;

  /** @throws Error when the engine can't be reached or does not answer */
  abstract count(group: string): Promise<JobCounts>;
}
