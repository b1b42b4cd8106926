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
}
