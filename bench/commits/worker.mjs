import 'reflect-metadata';
import { RedisChannels } from '../../dist/libs/cluster/src/index.js';
import { Command, CommandOrder, RoomDocument } from '../../dist/libs/core/src/index.js';
import { parseRedisTarget, RedisKeys, RedisLinks } from '../../dist/libs/redis/src/index.js';
import {
  Committer,
  DocumentRegistry,
  DocumentType,
  RedisRoomStore,
  ROOM_SCRIPTS,
  RoomStateRepository,
} from '../../dist/libs/state/src/index.js';
import { quantile } from '../shared/quantile.mjs';
import { Redis } from 'ioredis';

/**
 * One process of the commit benchmark. It gets a workload, prepares its nodes, says `ready`, and after `go` lets its
 * writers work in closed loops until the time is over. A node is a repository with its own connections and queue.
 */
const HISTORY = { events: 1_000, ttlMs: 86_400_000 };
const DAY_MS = 86_400_000;
const EVENT = { event: '"bench.added"', data: '{"by":1,"value":1}' };
const types = { of: () => ({ type: 'bench', history: HISTORY, idleTtlMs: 0 }) };

/** About 200 bytes of JSON. */
class Bench {
  value = 0;
  title = 'A document of an ordinary size';
  tags = ['alpha', 'beta', 'gamma'];
  place = { x: 10.5, y: 20.25 };
  text = 'Some text that is here to make the document two hundred bytes.';
}
RoomDocument('bench')(Bench);

/** Each opens what a node needs and gives a writer: `(writer) => one operation`. */
const kinds = {
  async incr({ url, autoPipelining = false }) {
    const redis = await connected(url, { enableAutoPipelining: autoPipelining });
    return { work: () => () => redis.incr('bench:incr'), close: () => redis.quit() };
  },

  async commit(workload) {
    const { store, links } = await openNode(workload);
    return {
      work: (writer) => {
        const lane = laneOf(workload, writer);
        let n = 0;
        return () => commit(store, roomOf(workload, writer), lane, ++n);
      },
      close: () => links.close(),
    };
  },

  async update(workload) {
    const { store, links, nodeId } = await openNode(workload);
    const committer = new Committer(store, types, { nodeId, channels: new RedisChannels(links) });
    const documents = new RoomStateRepository(new DocumentType(Bench), {
      store,
      committer,
      documents: new DocumentRegistry(),
    });
    return {
      work: (writer) => {
        const session = laneOf(workload, writer).id;
        const room = roomOf(workload, writer);
        const order = new CommandOrder();
        const client = { id: session, user: 'bench' };
        let n = 0;
        return () => update(documents, { room, session, client, order, n: ++n });
      },
      close: () => {
        committer.close();
        return links.close();
      },
    };
  },

  /** The textbook way: read, compute, write if nothing has changed, else again; a connection per writer. */
  async watch({ url, writers }) {
    const redises = await Promise.all(Array.from({ length: writers }, () => connected(url)));
    await redises[0].setnx('bench:watch', JSON.stringify(new Bench()));
    return {
      work: (writer) => () => watchLoop(redises[writer]),
      close: () => Promise.all(redises.map((redis) => redis.quit())),
    };
  },
};

process.on('message', async (workload) => {
  if (workload === 'go') return;
  const nodes = [];
  for (let node = 0; node < workload.nodes; node++) {
    nodes.push(await kinds[workload.kind]({ ...workload, node: `${process.pid}-${node}` }));
  }
  process.send('ready');
  await new Promise((resolve) =>
    process.on('message', function go(message) {
      if (message !== 'go') return;
      process.off('message', go);
      resolve();
    }),
  );
  const results = await Promise.all(nodes.map((node) => run(node, workload)));
  await Promise.all(nodes.map((node) => node.close()));
  process.send(results);
});

async function run({ work }, { writers, seconds }) {
  const end = performance.now() + seconds * 1_000;
  const latencies = [];
  let done = 0;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const operation = work(writer);
      for (let began = performance.now(); began < end; began = performance.now()) {
        await operation();
        if (++done % 4 === 0) latencies.push(performance.now() - began);
      }
    }),
  );
  return { done, p99: quantile(latencies, 0.99) ?? 0 };
}

async function openNode({ url, node }) {
  const nodeId = node.replace('-', 'n');
  const links = await RedisLinks.connect({
    target: parseRedisTarget(url),
    scripts: Object.values(ROOM_SCRIPTS),
  });
  return { links, nodeId, store: new RedisRoomStore(links, new RedisKeys('bench')) };
}

async function connected(url, options = {}) {
  const redis = new Redis(url, { lazyConnect: true, ...options });
  await redis.connect();
  return redis;
}

function laneOf({ node, run }, writer) {
  return { id: `${run}-${node}-${writer}`, generation: 1, endsAt: Date.now() + DAY_MS };
}

function roomOf({ rooms, run }, writer) {
  return `bench:${run}-${rooms === 1 ? 0 : writer % rooms}`;
}

async function commit(store, room, lane, n) {
  const entry = {
    lane,
    n,
    ack: n - 1,
    fingerprint: `f${n}`,
    events: [EVENT],
    outcome: { kind: 'result', json: '{"value":1}' },
  };
  const reply = await store.commit({
    room,
    entries: [entry],
    documents: [],
    history: HISTORY,
    idleTtlMs: 0,
  });
  if (reply.status !== 'committed') throw new Error(JSON.stringify(reply.verdicts));
}

async function update(documents, { room, session, client, order, n }) {
  const number = { session, generation: 1, sessionEndsAt: Date.now() + DAY_MS, n, ack: n - 1 };
  const frame = { event: 'bench.add', data: { by: 1 }, id: n, room };
  const command = new Command({ frame, client, deadline: performance.now() + 10_000, order, number });
  try {
    await documents.update(command, (document, draft) => {
      draft.append('bench.added', { by: 1 });
      return ++document.value;
    });
  } finally {
    command.pass();
  }
}

async function watchLoop(redis) {
  for (;;) {
    await redis.watch('bench:watch');
    const document = JSON.parse(await redis.get('bench:watch'));
    document.value++;
    const replies = await redis
      .multi()
      .set('bench:watch', JSON.stringify(document))
      .xadd('bench:watch:log', 'MAXLEN', '~', 1_000, '*', 'e', EVENT.data)
      .publish('bench:watch', EVENT.data)
      .exec();
    if (replies) return;
  }
}
