/** Most jobs of a group that may be outstanding: waiting and being done. */
export const MAX_OUTSTANDING_JOBS = 10_000;

/** A job that a node holds until it says that it is done. */
export interface TakenJob {
  /** Names it in the queue. */
  readonly entry: string;
  /** The text that was added. */
  readonly text: string;
  /** How often nodes have taken it, this time included. */
  readonly deliveries: number;
}

/** A job that was given up. */
export interface DeadJob {
  /** The text that was added. */
  readonly text: string;
  /** Event of the job; empty where it is not known. */
  readonly event: string;
  /** Why it was given up, in words. */
  readonly reason: string;
  /** How often it was tried. */
  readonly attempts: number;
}

/** Most jobs of a group that were given up and are kept; the oldest go first. */
export const MAX_DEAD_JOBS = 1_000;
/** How long a job that was given up is kept, ms. */
export const DEAD_JOB_MS = 7 * 86_400_000;

/** Why a job was given up that nodes met and could not handle, and how often it was tried. */
export const UNHANDLED = { reason: 'no node that can read it has a handler for its event', attempts: 0 };
/** Most of these that are given up at a time. */
export const MOST_UNHANDLED = 100;

/** How many jobs a group has. */
export interface JobCounts {
  /** Waiting and being done, on all nodes. */
  readonly outstanding: number;
  /** Of these: met by nodes that can't read them or have no handler for them, and by no other since. */
  readonly unhandled: number;
  /** Given up and kept. */
  readonly dead: number;
}

/** Options of a node that takes jobs. */
export interface TakeOptions {
  /** The node that takes. */
  readonly nodeId: string;
  /** Most jobs to take, from 1. */
  readonly count: number;
  /** Entries that the node holds and knows of; others that it holds are given to it again. */
  readonly held: readonly string[];
  /** Events that the node has handlers for; it takes no others. Default: takes all. */
  readonly events?: readonly string[];
  /** Newest version of packets that the node reads; it takes no newer ones. */
  readonly version: number;
  /** Also takes what dead nodes hold; default not. */
  readonly dead?: DeadNodes;
}

/** Which nodes count as dead. */
export interface DeadNodes {
  /** The nodes that live, as a registry lists them; it may be out of date by a little. */
  readonly live: readonly string[];
  /** A job counts as left behind only when it was taken at least this long ago by the engine's clock, ms. */
  readonly afterMs: number;
}

/**
 * Jobs of groups of nodes, in the order in which they were added. A job that was taken is held by that node alone,
 * until it is done or its node is dead. So each is done at least once; where a node that counts as dead still works,
 * or an answer of the engine is lost, it is done again.
 */
export abstract class JobQueue {
  /**
   * Adds a job at the end.
   * @param event tells nodes whether they can handle it
   * @returns whether it was added: not when {@link MAX_OUTSTANDING_JOBS} are outstanding
   * @throws Error when the engine can't be reached, refuses, or does not answer
   */
  abstract add(group: string, text: string, event: string): Promise<boolean>;

  /**
   * Takes jobs: first what this node holds without knowing of it, then what others met and can't handle, then what
   * dead nodes hold, then new ones. A job that the node can't handle stays where it is, without an attempt.
   * @throws Error when the engine can't be reached or does not answer; jobs may be held by the node then
   */
  abstract take(group: string, options: TakeOptions): Promise<TakenJob[]>;

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
   * Gives up jobs that nodes met and could not handle, and that no other has taken for so long, ms; at most a hundred.
   * @returns how many
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
