/** Largest number of nodes in one writer queue. */
const MOST_WAITING = 64;

/** Calls a node: returns the number of listeners, or undefined if the engine refuses the call. */
export type CallNode = (nodeId: string) => number | undefined;

/** Result of calling the next node. */
export interface Called {
  /** Number of nodes before the called one that do not listen, and are overtaken by it. */
  readonly deaf: number;
  readonly refused: boolean;
}

/** The nodes that wait to write a room; the first has been called. The twin of `room_queue.lua`. */
export class MemoryWriterQueue {
  constructor(private readonly nodes: string[]) {}

  /**
   * Adds a node that lost a conflict: returns how many are to write before it tries again, or undefined if the queue
   * is too long.
   */
  join(nodeId: string): number | undefined {
    const place = this.nodes.indexOf(nodeId);
    if (place >= 0) return place;
    if (this.nodes.length >= MOST_WAITING) return undefined;
    return this.nodes.push(nodeId) - 1;
  }

  /**
   * Moves a node that has written to the end, and removes the called one that it overtook.
   * @returns true if the next one is to be called
   */
  wrote(nodeId: string | undefined): boolean {
    const { nodes } = this;
    const place = nodeId === undefined ? -1 : nodes.indexOf(nodeId);
    if (place >= 0) nodes.splice(place, 1);
    if (place > 0) nodes.shift();
    if (nodeId !== undefined && nodes.length > 0 && nodes.length < MOST_WAITING) nodes.push(nodeId);
    return place >= 0;
  }

  /** Returns how many are to write before a node that has just written. */
  ahead(nodeId: string | undefined): number {
    const { nodes } = this;
    return nodes.length > 0 && nodes.at(-1) === nodeId ? nodes.length - 1 : nodes.length;
  }

  /** Removes a node that has nothing to write; the next one is called if it was the first. */
  leave(nodeId: string, callNode: CallNode): void {
    const place = this.nodes.indexOf(nodeId);
    if (place < 0) return;
    this.nodes.splice(place, 1);
    if (place === 0) this.callFirst(undefined, callNode);
  }

  /** Calls the first one that listens, but not the node itself. */
  callFirst(own: string | undefined, callNode: CallNode): Called {
    for (const [deaf, node] of this.nodes.entries()) {
      if (node === own) return { deaf, refused: false };
      const heard = callNode(node);
      if (heard === undefined) return { deaf, refused: true };
      if (heard > 0) return { deaf, refused: false };
    }
    return { deaf: this.nodes.length, refused: false };
  }
}
