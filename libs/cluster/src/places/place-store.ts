/** How long counts are kept after the last call of a node that has some, ms; nodes call every minute. */
export const PLACES_MS = 600_000;

/** Counts how many places of a limited number each node has taken. */
export abstract class PlaceStore {
  /**
   * Notes how many places this node has taken, unless all nodes together would have more than `most`; 0: none.
   * @returns undefined if it is noted, else the nodes that have the other places
   * @throws Error when the engine is out of reach
   */
  abstract take(name: string, count: number, most?: number): Promise<readonly string[] | undefined>;

  /** Forgets the places of nodes that have died. */
  abstract drop(name: string, nodes: readonly string[]): Promise<void>;
}
