/** Number of rows from which on those that are over are looked for. */
const MIN_SWEEP = 1_024;

/**
 * Rows by key. A library declares a table by a class of its own, with the type of its rows, and `MemoryEngine.table`
 * gives all nodes of an engine the same one.
 */
export abstract class MemoryTable<Row> {
  /** Name of the table in snapshots of the engine; unique among the tables, and the same in every build. */
  abstract readonly name: string;
  /** True if a failover takes the rows back to those of the replica. */
  readonly isReplicated: boolean = false;
  rows = new Map<string, Row>();
  private sweepAt = MIN_SWEEP;

  /** Forgets the rows that are over, if there are twice as many rows as after the last time; call it where one is added. */
  sweep(isOver: (row: Row) => boolean): void {
    if (this.rows.size < this.sweepAt) return;
    for (const [key, row] of this.rows) if (isOver(row)) this.rows.delete(key);
    this.sweepAt = Math.max(MIN_SWEEP, 2 * this.rows.size);
  }
}
