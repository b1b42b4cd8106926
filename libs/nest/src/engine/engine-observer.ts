import type { JobStats } from '@wss/cluster';
import type { EngineLinks } from './engine-links.js';

/** How a batch of commits ended; `judged`: its numbers were refused or known. */
export type CommitOutcome = 'committed' | 'conflict' | 'judged' | 'failed';

/** Figures of a node that can be read at any time. */
export interface NodeFigures {
  /** Number of clients on this node. */
  clients(): number;
  /** Number of rooms that the node follows. */
  rooms(): number;
  isReady(): boolean;
  /** True if every part of the way to the engine serves. */
  engineServes(): boolean;
  holdsLease(): boolean;
  /** The jobs of the groups that this node has handlers for. */
  jobs(): readonly (readonly [group: string, stats: JobStats])[];
  /** Users and sessions that this node was asked to put out, by kind. */
  putOut(): readonly (readonly [kind: string, count: number])[];
  /** Sessions without a connection that this node ended because their user had too many. */
  sessionsLimited(): number;
  /** Revocations that this node keeps until they are proven to survive a failover. */
  revocationsKept(): number;
  /** Parts of users' limits over all rooms that this node asked the engine for, by outcome. */
  partsAsked(): readonly (readonly [outcome: string, count: number])[];
  /** The links to Redis; absent for the embedded engine. */
  readonly links?: EngineLinks | undefined;
}

/**
 * Hears of the engine's work, for metrics; a global module may provide an implementation. All methods are called on
 * the path of commits, so they must be cheap and never throw.
 */
export abstract class EngineObserver {
  /** The engine answered a batch of commands, or failed to. */
  abstract batchEnded(outcome: CommitOutcome, commands: number, seconds: number): void;

  /** A read of events that a room's subscription missed. */
  abstract gapRead(outcome: 'ok' | 'failed', events: number): void;

  /** A part of a room vanished from the engine before its time. */
  abstract partLost(part: string): void;

  /** Called once, when the node is assembled. */
  abstract nodeMade(figures: NodeFigures): void;
}
