import { fit, worstError } from './fit.mjs';

/** Part of a core that a plan uses: the rest is for bursts, and for the clients of a node that has gone. */
export const BUSY = 0.5;
/** Connections that a plan gives to a node, half of what a node takes by default. */
export const PER_NODE = 50_000;

/**
 * Fits the costs of the model to measured points, in µs of a core of the machine that measured.
 * A publication costs its nodes `publish` once, `receive` for each node with members, and `deliver` for each member;
 * it costs Redis `redisPublish` once, and `redisReceive` for each node with members. A connection at rest costs
 * `restUs` a second; nodes at rest cost Redis `redisNodeUs` a second each, and `redisPairUs` for each pair of them.
 */
export function costsOf(points) {
  const moved = points.filter(({ load, fits }) => load === 'spread' && fits);
  const ofNodes = moved.map(({ cpuUs, reached, members }) => ({
    parts: [1, reached, members],
    total: cpuUs * members,
  }));
  const ofRedis = moved.map(({ redisUs, reached, members }) => ({
    parts: [1, reached],
    total: redisUs * members,
  }));
  const still = points.filter(({ load, params }) => load === 'still' && params.clients === 0);
  const atRest = still.map(({ nodes, redisCores }) => ({
    parts: [nodes, nodes * nodes],
    total: redisCores * 1e6,
  }));
  const full = points.find(({ load, params }) => load === 'still' && params.clients > 0);
  const empty = still.find(({ nodes }) => nodes === 1);
  const [publish, receive, deliver] = fit(ofNodes);
  const [redisPublish, redisReceive] = fit(ofRedis);
  const [redisNodeUs, redisPairUs] = fit(atRest);
  return {
    ...{ publish, receive, deliver, redisPublish, redisReceive, redisNodeUs, redisPairUs },
    restUs: (Math.max(0, full.nodeCores - empty.nodeCores) * 1e6) / full.params.clients,
    handshakeUs: full.handshakeUs,
    kibibytes: full.kibibytes,
    worstErrors: {
      nodes: worstError(ofNodes, [publish, receive, deliver]),
      redis: worstError(ofRedis, [redisPublish, redisReceive]),
    },
  };
}

/** The number of nodes that a room with members at random nodes has some on, on average. */
export function reachedOf(members, nodes) {
  return nodes * (1 - (1 - 1 / nodes) ** members);
}

/** The cores that a load needs, of its nodes together and of Redis. */
export function coresOf({ connections, members, perClient }, nodes, costs) {
  const publications = connections * perClient;
  const reached = reachedOf(members, nodes);
  const { publish, receive, deliver, redisPublish, redisReceive } = costs;
  const traffic = publications * (publish + receive * reached + deliver * members);
  const onRedis = publications * (redisPublish + redisReceive * reached);
  return {
    ...{ publications, reached },
    nodes: (traffic + connections * costs.restUs) / 1e6,
    redis: (onRedis + costs.redisNodeUs * nodes + costs.redisPairUs * nodes * nodes) / 1e6,
  };
}

/**
 * What a load needs: nodes of one core each, masters of Redis, and memory. More nodes share a room among more of them, so
 * their number is found step by step.
 */
export function planFor(load, costs) {
  const least = Math.max(2, Math.ceil(load.connections / PER_NODE));
  for (let nodes = least; ; nodes++) {
    const cores = coresOf(load, nodes, costs);
    if (cores.nodes / nodes > BUSY) continue;
    return {
      ...{ nodes, cores },
      masters: Math.max(1, Math.ceil(cores.redis / BUSY)),
      gibibytes: (load.connections * costs.kibibytes) / 2 ** 20,
      // The clients of a node that has gone, with half of a core of each other node.
      returnSeconds: ((load.connections / nodes) * costs.handshakeUs) / 1e6 / (nodes - 1) / (1 - BUSY),
    };
  }
}
