import { MemoryTable } from '@wss/state';

/** One job of a group of nodes, as Redis keeps it. */
export interface MemoryJob {
  readonly text: string;
  readonly event: string;
  /** When a node that can't handle it met it, if no other did since, ms since 1970. */
  unhandledSince?: number;
  /** The node that has taken it. */
  holder?: string;
  takenAt: number;
  deliveries: number;
  /** Until when it is believed to wait for its next attempt after one that failed, ms since 1970. */
  failedUntil?: number;
}

/** One job that was given up. */
export interface MemoryDeadJob {
  readonly text: string;
  readonly event: string;
  readonly reason: string;
  readonly attempts: number;
  /** Ms since 1970. */
  readonly at: number;
}

/** Group → its jobs, in order. */
export class JobTable extends MemoryTable<Map<string, MemoryJob>> {
  readonly name = 'jobs';
  private added = 0;

  /** Returns an id for a new job. */
  nextEntry(): string {
    return String(++this.added);
  }
}

/** Group → jobs that were given up, in order. */
export class DeadJobTable extends MemoryTable<readonly MemoryDeadJob[]> {
  readonly name = 'jobs.dead';
}
