import { type DataLinks, LuaScript, type RedisKeys } from '@wss/redis';
import { PLACES_MS, PlaceStore } from './place-store.js';

/** Scripts of the counts of places, to be preloaded. */
export const PLACE_SCRIPTS = {
  take: new LuaScript<string[] | null>(new URL('./lua/place_take.lua', import.meta.url)),
};

/** Places in Redis, a hash for each name. */
export class RedisPlaceStore extends PlaceStore {
  constructor(
    private readonly links: Pick<DataLinks, 'commands'>,
    private readonly keys: RedisKeys,
    private readonly nodeId: string,
  ) {
    super();
  }

  async take(name: string, count: number, most?: number): Promise<readonly string[] | undefined> {
    const args = [this.nodeId, count, most ?? '', PLACES_MS];
    const others = await PLACE_SCRIPTS.take.run(this.links.commands, [this.keys.places(name)], args);
    return others?.filter((_, index) => index % 2 === 0);
  }

  async drop(name: string, nodes: readonly string[]): Promise<void> {
    if (nodes.length > 0) await this.links.commands.hdel(this.keys.places(name), ...nodes);
  }
}
