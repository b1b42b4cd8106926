import { MemoryTable } from '@wss/state';

/** Lease of one node, as Redis keeps it. */
export interface MemoryNode {
  endsAt: number;
  /** The node's description of itself, JSON. */
  record: string;
}

/** Node id → its lease. */
export class NodeTable extends MemoryTable<MemoryNode> {
  readonly name = 'nodes';
}

/** Hash → contract of the nodes that name it, JSON. */
export class ContractTable extends MemoryTable<string> {
  readonly name = 'contracts';
}
