/** Most jobs of a group that may be outstanding: waiting and being done. */
export const MAX_OUTSTANDING_JOBS = 10_000;

/** A job that a node holds until it says that it is done. */
export interface TakenJob {
  /** Names it in the queue. */
  readonly entry: string;
  /** What was added. */
  readonly text: string;
  /** How often nodes have taken it, this time included. */
  readonly deliveries: number;
}

/** What a node takes. */
export interface TakeOptions {
  /** The node that takes. */
  readonly nodeId: string;
  /** Most jobs to take, from 1. */
  readonly count: number;
  /** Entries that the node holds and knows of; others that it holds are given to it again. */
  readonly held: readonly string[];
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
   * @returns whether it was added: not when {@link MAX_OUTSTANDING_JOBS} are outstanding
   * @throws Error when the engine can't be reached, refuses, or does not answer
   */
  abstract add(group: string, text: string): Promise<boolean>;

  /**
   * Takes jobs: first what this node holds without knowing of it, then what dead nodes hold, then new ones.
   * @throws Error when the engine can't be reached or does not answer; jobs may be held by the node then
   */
  abstract take(group: string, options: TakeOptions): Promise<TakenJob[]>;

  /**
   * Removes a job for good; one that is gone already is no error.
   * @throws Error when the engine can't be reached or does not answer
   */
  abstract done(group: string, entry: string): Promise<void>;
}
