import { MemoryEngine, type MemoryTable } from '@wss/state';
import { newSeed, Random } from './random.js';

/** Most calls before the next restart of a small engine. */
const MOST_CALLS = 5;
/** A big engine restarts less often: at most once in so many calls for each megabyte. */
const CALLS_PER_MB = 500;

/**
 * An embedded engine that goes on from a snapshot of itself before random calls. Nodes and their subscriptions live on,
 * so whatever is asked of it, it must answer like one that never restarts.
 */
export class RestartingEngine extends MemoryEngine {
  /** Number of restarts. */
  restarts = 0;
  private readonly random = new Random(newSeed());
  private callsLeft = 0;
  /** The base class asks for a table before this class has fields. */
  declare private types?: Set<new () => MemoryTable<unknown>>;

  override table<Table extends MemoryTable<unknown>>(type: new () => Table): Table {
    (this.types ??= new Set()).add(type);
    return super.table(type);
  }

  override call<T>(work: () => T): Promise<T> {
    if (this.callsLeft-- <= 0) this.restart();
    return super.call(work);
  }

  /** @throws Error when the clock would go back */
  private restart(): void {
    const before = this.now();
    const snapshot = this.snapshot();
    const next = MemoryEngine.restore(snapshot, this.now);
    if (next.now() < before) throw new Error(`seed ${this.random.seed}: the clock went back`);
    this.replicationId = next.replicationId;
    for (const type of this.types ?? []) Object.assign(super.table(type), next.table(type));
    this.restarts++;
    this.callsLeft = this.random.below(MOST_CALLS) + Math.floor((snapshot.length * CALLS_PER_MB) / 1_000_000);
  }
}
