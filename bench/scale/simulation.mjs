/**
 * Lets a planned cluster serve its load for a while, publication by publication. Members of a room are on random nodes;
 * a node and a master of Redis do one thing after another, each of random length around its mean cost.
 *
 * @param load `connections`, `members` of a room, and publications a second of a client, `perClient`
 * @param plan `nodes` and `masters`
 * @param costs means in µs, as the model has them
 * @param options.random numbers in [0, 1); `seconds` that pass in the simulation
 * @returns the part of their time that nodes and masters worked: `mean` and `most`; and times in ms from a publication to
 * its last delivery
 */
export function simulate(load, plan, costs, { random, seconds }) {
  const nodes = Array.from({ length: plan.nodes }, () => new Worker());
  const masters = Array.from({ length: plan.masters }, () => new Worker());
  const rooms = Math.floor(load.connections / load.members);
  const perUs = (load.connections * load.perClient) / 1e6;
  const queue = new Agenda();
  const latencies = [];
  const begin = (at) => {
    const room = Math.floor(random() * rooms);
    const membersOn = placesOf(room, load.members, plan.nodes);
    const publisher = [...membersOn.keys()][Math.floor(random() * membersOn.size)];
    const publication = { at, room, membersOn, left: membersOn.size };
    queue.add(nodes[publisher].work(at, length(costs.publish)), () => store(publication));
  };
  const length = (meanUs) => -Math.log(1 - random()) * meanUs;
  const store = (publication) => {
    const { membersOn, room } = publication;
    const us = costs.redisPublish + costs.redisReceive * membersOn.size;
    const end = masters[room % masters.length].work(queue.now, length(us));
    queue.add(end, () => receive(publication));
  };
  const receive = (publication) => {
    for (const [node, count] of publication.membersOn) {
      const end = nodes[node].work(queue.now, length(costs.receive + costs.deliver * count));
      queue.add(end, () => {
        if (--publication.left === 0) latencies.push((queue.now - publication.at) / 1_000);
      });
    }
  };
  const arrive = () => {
    begin(queue.now);
    queue.add(queue.now + length(1 / perUs), arrive);
  };
  queue.add(0, arrive);
  queue.runUntil(seconds * 1e6);
  const resting = (load.connections / plan.nodes) * costs.restUs;
  const idle = costs.redisNodeUs * plan.nodes + costs.redisPairUs * plan.nodes ** 2;
  return {
    nodes: useOf(nodes, seconds, resting),
    masters: useOf(masters, seconds, idle / plan.masters),
    latencyMs: quantilesOf(latencies),
  };
}

/** Numbers that look random and are the same for the same seed. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return hash(state) / 2 ** 32;
  };
}

/** Does one thing after another. */
class Worker {
  busyUs = 0;
  #freeAt = 0;

  /** Returns when work that comes now is done, µs. */
  work(now, us) {
    this.busyUs += us;
    return (this.#freeAt = Math.max(now, this.#freeAt) + us);
  }
}

/** What is to happen, the next first: a heap. */
class Agenda {
  now = 0;
  #items = [];

  add(at, run) {
    const items = this.#items;
    let index = items.push({ at, run }) - 1;
    for (let parent; index > 0 && items[(parent = (index - 1) >> 1)].at > at; index = parent) {
      [items[index], items[parent]] = [items[parent], items[index]];
    }
  }

  runUntil(end) {
    while (this.#items.length > 0 && this.#items[0].at <= end) {
      const { at, run } = this.#take();
      this.now = at;
      run();
    }
  }

  #take() {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0) return first;
    items[0] = last;
    for (let index = 0, child; (child = 2 * index + 1) < items.length; index = child) {
      if (child + 1 < items.length && items[child + 1].at < items[child].at) child++;
      if (items[index].at <= items[child].at) break;
      [items[index], items[child]] = [items[child], items[index]];
    }
    return first;
  }
}

/** How many members of a room are on each node that has some; always the same for a room. */
function placesOf(room, members, nodes) {
  const places = new Map();
  for (let i = 0; i < members; i++) {
    const node = hash(room * members + i + 1) % nodes;
    places.set(node, (places.get(node) ?? 0) + 1);
  }
  return places;
}

function hash(number) {
  let mixed = number | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return (mixed ^ (mixed >>> 14)) >>> 0;
}

function useOf(workers, seconds, restingUs) {
  const uses = workers.map(({ busyUs }) => busyUs / seconds / 1e6 + restingUs / 1e6);
  return { mean: uses.reduce((sum, use) => sum + use, 0) / uses.length, most: Math.max(...uses) };
}

function quantilesOf(values) {
  const sorted = values.sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)];
  return { count: sorted.length, p50: at(0.5), p99: at(0.99) };
}
