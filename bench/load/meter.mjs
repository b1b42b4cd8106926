import { setTimeout as delay } from 'node:timers/promises';
import { cpuOf, machineCpu, treeOf } from './usage.mjs';

/**
 * Measures what servers use while a load goes on. `foreign` is the work of others on this machine meanwhile, in cores; a run
 * beside which somebody worked tells little.
 */
export class Meter {
  #nodes;
  #redis;

  constructor({ nodes, redis, warmMs, measureMs }) {
    this.#nodes = nodes.flatMap(treeOf);
    this.#redis = redis ? [redis] : [];
    this.warmMs = warmMs;
    this.measureMs = measureMs;
  }

  get pids() {
    return this.#nodes;
  }

  /** Lets a load warm up, then measures what a message of it costs; `count()` tells how many there were. */
  async measure(count, onBegin = () => undefined) {
    await delay(this.warmMs);
    onBegin();
    const before = this.#take(count());
    await delay(this.measureMs);
    return difference(before, this.#take(count()));
  }

  #take(count) {
    const { user, system } = process.cpuUsage();
    return {
      at: performance.now() / 1_000,
      count,
      servers: cpuOf(this.#nodes),
      redis: cpuOf(this.#redis),
      generator: (user + system) / 1e6,
      machine: machineCpu(),
    };
  }
}

function difference(before, after) {
  const [seconds, count, servers, redis, generator, machine] = [
    'at',
    'count',
    'servers',
    'redis',
    'generator',
    'machine',
  ].map((key) => after[key] - before[key]);
  if (count === 0) throw new Error('no message came through');
  return {
    perSecond: count / seconds,
    cpuUs: (servers / count) * 1e6,
    redisUs: (redis / count) * 1e6,
    generator: generator / seconds,
    foreign: (machine - servers - redis - generator) / seconds,
  };
}
