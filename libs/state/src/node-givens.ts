import type { MemoryEngine } from './memory/engine.memory.js';

/**
 * Gives a node its name and its data, from a global module: for programs that must know a node's name before
 * it exists, and for tests that run several nodes in one process.
 */
export abstract class NodeGivens {
  /** New for every start. Default: made by the node. */
  abstract readonly nodeId?: string;
  /** Data of the embedded engine, shared by nodes of this process. Default: the node's own. */
  abstract readonly memory?: MemoryEngine;
}
