/** A node as the demo page shows it. */
export interface DemoNode {
  readonly node: string;
  /** True if it holds a lease and does not answer: it was killed, or stands still. */
  readonly isSilent: boolean;
  readonly pid?: number;
  readonly host?: string;
  /** How long its process has run, ms. */
  readonly upMs?: number;
}

/** Data of `demo.nodes`, the answer to the page's question of the same name. */
export interface DemoNodesView {
  /** The node that the page is on. */
  readonly node: string;
  /** All nodes, this one included, the longest-running first. */
  readonly nodes: readonly DemoNode[];
  /** True if `demo.kill` ends the process of this node. */
  readonly mayKill: boolean;
  /** Why not, where it is not for the lack of permission. */
  readonly why?: string;
}

/** Data of `demo.kill`: the node that is meant, since the page may be on another one by the time it arrives. */
export interface DemoKill {
  readonly node: string;
}

/** Data of `demo.refused`. */
export interface DemoRefused {
  readonly message: string;
}

/** Why the only node can't be killed. */
export const ONLY_NODE =
  'This is the only node, and its rooms would end with it. "npm run cluster" starts three: kill one of those.';
