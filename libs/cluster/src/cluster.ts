import type { Observable } from 'rxjs';
import type { ClusterAnswer } from './events/cluster-answer.js';
import type { JobTarget } from './jobs/jobs.js';
import type { NodeInfo } from './nodes/node-registry.js';

/** How long a call waits for its answers, ms. */
export const CALL_TIMEOUT_MS = 2_000;
/** Longest time that a call may wait, ms. */
export const MAX_CALL_TIMEOUT_MS = 60_000;

/** How a call is made. */
export interface CallOptions {
  /** How long to wait for answers, ms, 1 to 60,000; time in which this process is busy does not count. Default 2,000. */
  readonly timeoutMs?: number;
}

/** How an event is sent. */
export interface EmitOptions {
  /**
   * Sends the event without keeping it: at most once, at the cost of one publication. A node whose link is down at
   * that moment misses it. This node handles it directly and first, even while the engine is out of reach. Default
   * false.
   */
  readonly volatile?: boolean;
}

/** One node to speak to. */
export interface NodeTarget {
  /**
   * Sends an event to this node alone, as {@link Cluster.emit} does to all. Resolves when it is kept (or, if
   * volatile, published), even if the node is not alive.
   * @throws GatewayError `unavailable`, `unknown_outcome`, `too_large`
   */
  emit(event: string, data?: unknown, options?: EmitOptions): Promise<void>;

  /**
   * Calls the node's handler.
   * @returns what it returned
   * @throws GatewayError `not_found` when no such node is alive, at once; `unknown_outcome` when it did not answer by
   *   the deadline; `unknown_event` when it has no handler; the handler's error; `unavailable`, `too_large`
   */
  call<T = unknown>(pattern: string, data?: unknown, options?: CallOptions): Promise<T>;
}

/**
 * Sends events and calls to the nodes of the cluster, this one included. Data travels as JSON, so that handlers see
 * the same on every node; `undefined` arrives as `null`.
 */
export abstract class Cluster {
  /**
   * Sends an event to the handlers (`@EventPattern`) of every node that listens, this one included: once per node, in
   * one order for all of them, without a gap. Handlers are started in that order and run concurrently. Resolves when
   * the event is in the cluster's log.
   *
   * The log keeps 10,000 events, for an hour after the last: a node whose link was down reads on from where it was.
   * If it can't, or the engine lost entries, the node handles the event `$resync` instead (R20).
   * @throws GatewayError `unavailable` (nobody gets it), `unknown_outcome` (some may), `too_large` (over 65,536
   * bytes of JSON)
   */
  abstract emit(event: string, data?: unknown, options?: EmitOptions): Promise<void>;

  /**
   * Calls the handler (`@MessagePattern`) of every live node. Each subscription makes one call and brings exactly
   * one answer per node that held a lease at its start, and of this node, in the order in which they come; a node
   * that has not answered by the deadline is marked as missing. Then it completes. Unsubscribing ends the waiting.
   *
   * Nodes that fail, die or have no handler give an answer that says so, not an error of the Observable. It fails
   * only when the live nodes can't be read (`unavailable`; nothing was done), on data over the limit (`too_large`),
   * with 10,000 calls under way (`rate_limited`), or when this node stops (`unavailable`).
   */
  abstract call<T = unknown>(
    pattern: string,
    data?: unknown,
    options?: CallOptions,
  ): Observable<ClusterAnswer<T>>;

  /** One node, this one or another. */
  abstract node(nodeId: string): NodeTarget;

  /**
   * A group of nodes, for jobs that one of them does: the nodes that have a handler with this group.
   * @param group 1 to 64 characters of `A-Z a-z 0-9 _ . -`
   * @throws RangeError on another name
   */
  abstract one(group: string): JobTarget;

  /**
   * The live nodes, the longest-running first.
   * @throws GatewayError `unavailable` when the engine is out of reach
   */
  abstract nodes(): Promise<NodeInfo[]>;
}
