import { type MemoryEngine, MemoryTable } from '@wss/state';
import { PLACES_MS, PlaceStore } from './place-store.js';

interface Places {
  readonly byNode: Map<string, number>;
  endsAt: number;
}

/** Name → the places that each node has taken. */
export class PlaceTable extends MemoryTable<Places> {
  readonly name = 'places';
  override readonly isReplicated = true;
}

/** Places in this process; the twin of `place_take.lua`. */
export class MemoryPlaceStore extends PlaceStore {
  private readonly table: PlaceTable;

  constructor(
    private readonly engine: MemoryEngine,
    private readonly nodeId: string,
  ) {
    super();
    this.table = engine.table(PlaceTable);
  }

  take(name: string, count: number, most = Infinity): Promise<readonly string[] | undefined> {
    return this.engine.call(() => {
      const { nodeId } = this;
      const { byNode } = this.placesOf(name);
      const others = [...byNode].filter(([node]) => node !== nodeId);
      if (others.reduce((sum, [, places]) => sum + places, count) > most) return others.map(([node]) => node);
      if (count > 0) byNode.set(nodeId, count);
      else byNode.delete(nodeId);
      this.keep(name, byNode);
      return undefined;
    });
  }

  drop(name: string, nodes: readonly string[]): Promise<void> {
    return this.engine.call(() => {
      const { byNode } = this.placesOf(name);
      for (const node of nodes) byNode.delete(node);
      if (byNode.size === 0) this.table.rows.delete(name);
    });
  }

  private placesOf(name: string): Places {
    const known = this.table.rows.get(name);
    return known && known.endsAt > this.engine.now() ? known : { byNode: new Map(), endsAt: 0 };
  }

  private keep(name: string, byNode: Places['byNode']): void {
    if (byNode.size === 0) this.table.rows.delete(name);
    else this.table.rows.set(name, { byNode, endsAt: this.engine.now() + PLACES_MS });
  }
}
