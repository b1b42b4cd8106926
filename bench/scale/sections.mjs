import { coresOf, planFor, reachedOf } from './model.mjs';
import { randomFrom, simulate } from './simulation.mjs';

/** The loads that the document plans for: rooms of ten, a message of each client in a minute, or every ten seconds. */
export const LOADS = [1_000_000, 10_000_000].flatMap((connections) =>
  [60, 10].map((every) => ({ connections, members: 10, every, perClient: 1 / every })),
);
/** So many publications tell enough of a load. */
const SIMULATED = 60_000;
const SEED = 20;

/** The sections of docs/scaling.md that are made of figures, by name. */
export function sectionsOf({ about, points, costs }) {
  return {
    measured: [...about.map((line) => `${line}  `), '', ...measuredTable(points)].join('\n'),
    costs: costsTable(costs).join('\n'),
    plans: plansTable(costs).join('\n'),
    simulation: simulationTable(costs).join('\n'),
  };
}

/** A document with its sections replaced, each between two comments with its name. */
export function withSections(document, sections) {
  return Object.entries(sections).reduce(
    (text, [name, section]) =>
      text.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end of ${name} -->)`),
        (_whole, begin, end) => `${begin}\n${section}\n\n${end}`,
      ),
    document,
  );
}

/** Lets the plan for a load serve it; returns both. */
export function tried(load, costs, seed) {
  const plan = planFor(load, costs);
  const seconds = SIMULATED / (load.connections * load.perClient);
  return { plan, result: simulate(load, plan, costs, { random: randomFrom(seed), seconds }) };
}

function measuredTable(points) {
  const row = (point) => {
    const { axis, at, perSecond, cpuUs, redisUs, members } = point;
    return [
      ...[axis, whole(at), whole(perSecond / members), whole(perSecond)],
      ...[cpuUs, cpuUs * members, redisUs * members].map(digits),
    ];
  };
  const atRest = points.filter(({ load }) => load === 'still');
  return [
    ...table(
      [
        'axis',
        'at',
        'publications/s',
        'deliveries/s',
        'nodes, µs per delivery',
        'nodes, µs per publication',
        'Redis, µs per publication',
      ],
      points.filter(({ load }) => load === 'spread').map(row),
    ),
    '',
    ...table(
      ['at rest', 'clients', 'Redis, % of a core', 'a node, % of a core', 'KiB per client', 'handshake, µs'],
      atRest.map(({ nodes, params, redisCores, nodeCores, kibibytes, handshakeUs }) => [
        ...[`${nodes} node(s)`, whole(params.clients), percent(redisCores, 2), percent(nodeCores, 2)],
        ...(params.clients > 0 ? [kibibytes.toFixed(1), whole(handshakeUs)] : ['–', '–']),
      ]),
    ),
  ];
}

function costsTable(costs) {
  const us = (value) => `${digits(value)} µs`;
  return table(
    ['cost', 'of', ''],
    [
      ['publish', 'the node that a publication comes to, once', us(costs.publish)],
      ['receive', 'each node with members of the room', us(costs.receive)],
      ['deliver', 'each member', us(costs.deliver)],
      ['redis-publish', 'Redis, once per publication', us(costs.redisPublish)],
      ['redis-receive', 'Redis, for each node with members', us(costs.redisReceive)],
      ['rest', 'a connection that does nothing, per second', us(costs.restUs)],
      ['handshake', 'a client that comes', us(costs.handshakeUs)],
      ['memory', 'a connection', `${costs.kibibytes.toFixed(1)} KiB`],
      ['redis-node', 'Redis, per second, for each node at rest', us(costs.redisNodeUs)],
      ['redis-pair', 'Redis, per second, for each pair of nodes at rest', us(costs.redisPairUs)],
      ['largest error', 'of the model against a measured point, nodes', percent(costs.worstErrors.nodes, 0)],
      ['', 'the same, Redis', percent(costs.worstErrors.redis, 0)],
    ],
  );
}

function plansTable(costs) {
  return table(
    [
      'connections',
      'each sends',
      'publications/s',
      'deliveries/s',
      'a room is on',
      'nodes',
      'masters of Redis',
      'memory of connections',
      'clients of a lost node are back after',
    ],
    LOADS.map((load) => {
      const { nodes, masters, gibibytes, returnSeconds } = planFor(load, costs);
      const { publications } = coresOf(load, nodes, costs);
      return [
        ...[
          whole(load.connections),
          `every ${load.every} s`,
          whole(publications),
          whole(publications * load.members),
        ],
        ...[`${reachedOf(load.members, nodes).toFixed(1)} nodes`, whole(nodes), whole(masters)],
        ...[`${gibibytes.toFixed(1)} GiB`, `${digits(returnSeconds)} s`],
      ];
    }),
  );
}

function simulationTable(costs) {
  return table(
    [
      'connections',
      'each sends',
      'nodes busy, as planned',
      'simulated: mean, most',
      'masters busy, as planned',
      'simulated: mean, most',
      'last delivery after: p50, p99',
    ],
    LOADS.map((load) => {
      const { plan, result } = tried(load, costs, SEED);
      const pair = ({ mean, most }) => `${percent(mean, 0)}, ${percent(most, 0)}`;
      return [
        ...[whole(load.connections), `every ${load.every} s`],
        ...[percent(plan.cores.nodes / plan.nodes, 0), pair(result.nodes)],
        ...[percent(plan.cores.redis / plan.masters, 0), pair(result.masters)],
        `${result.latencyMs.p50.toFixed(1)} ms, ${result.latencyMs.p99.toFixed(1)} ms`,
      ];
    }),
  );
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

function digits(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : whole(value);
}

function percent(part, places) {
  return `${(part * 100).toFixed(places)} %`;
}
