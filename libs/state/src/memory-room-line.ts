/** Most nodes in one room's line. */
const MOST_WAITING = 64;

/** Says to a node that it is its turn; false when it does not listen. */
export type CallNode = (nodeId: string) => boolean;

/** The nodes that wait to write a room; the first has been called. The twin of `room_line.lua`. */
export class MemoryRoomLine {
  constructor(private readonly nodes: string[]) {}

  /** A node lost: how many are to write before it tries again; undefined where the line is too long. */
  stand(nodeId: string): number | undefined {
    const place = this.nodes.indexOf(nodeId);
    if (place >= 0) return place;
    if (this.nodes.length >= MOST_WAITING) return undefined;
    return this.nodes.push(nodeId) - 1;
  }

  /** A node has written: it goes to the end, and the next is called if it was called, or overtook who was. */
  wrote(nodeId: string | undefined, callNode: CallNode): number {
    const { nodes } = this;
    const place = nodeId === undefined ? -1 : nodes.indexOf(nodeId);
    if (place >= 0) nodes.splice(place, 1);
    if (place > 0) nodes.shift();
    if (nodeId !== undefined && nodes.length > 0 && nodes.length < MOST_WAITING) nodes.push(nodeId);
    if (place >= 0) this.callFirst(nodeId, callNode);
    return nodes.length > 0 && nodes.at(-1) === nodeId ? nodes.length - 1 : nodes.length;
  }

  /** A node leaves without having written. */
  leave(nodeId: string, callNode: CallNode): void {
    const place = this.nodes.indexOf(nodeId);
    if (place < 0) return;
    this.nodes.splice(place, 1);
    if (place === 0) this.callFirst(undefined, callNode);
  }

  private callFirst(own: string | undefined, callNode: CallNode): void {
    const { nodes } = this;
    while (nodes[0] !== undefined && nodes[0] !== own) {
      if (callNode(nodes[0])) return;
      nodes.shift();
    }
    if (nodes.length === 1) nodes.length = 0;
  }
}
