import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { RoomDocument } from '@wss/core';
import { ClusterLinks, parseRedisTarget, RedisKeys, RedisLinks, slotOf } from '@wss/redis';
import {
  changedScript,
  newSeed,
  RedisClusterServers,
  redisFaults,
  RedisServer,
  type ScriptChange,
} from '@wss/testing';
import {
  Committer,
  type CommitReply,
  DocumentRegistry,
  DocumentType,
  MemoryEngine,
  MemoryRoomStore,
  RedisRoomStore,
  type RoomDraft,
  RoomStateRepository,
  ROOM_SCRIPTS,
  type RoomStore,
} from '../../src/index.js';
import { callListener } from './call-listener.js';
import {
  compareDocuments,
  type FailingEngine,
  severalDocumentsContract,
  type StoreFlaw,
} from './several-documents.contract.js';

const DEBUG = { args: ['--enable-debug-command', 'local'] };

function memoryEngine(): FailingEngine {
  const engine = new MemoryEngine();
  return {
    store: new MemoryRoomStore(engine),
    openChannels: () => ({
      subscribe: async (channel, listener) => engine.channels.subscribe(channel, listener),
      unsubscribe: (channel, listener) => engine.channels.unsubscribe(channel, listener),
    }),
    checkpoint: async () => engine.pauseReplication(),
    loseSinceCheckpoint: async () => engine.promote(),
    stop: async () => undefined,
  };
}

severalDocumentsContract('memory', () => Promise.resolve(memoryEngine()));

async function redisEngine(...changes: ScriptChange[]): Promise<FailingEngine> {
  const server = await RedisServer.start(DEBUG);
  const scripts = { ...ROOM_SCRIPTS, commit: changedScript(ROOM_SCRIPTS.commit, changes) };
  const target = parseRedisTarget(server.url);
  const links = await RedisLinks.connect({ target, scripts: Object.values(scripts) });
  // One for each node.
  links.subscriber.setMaxListeners(0);
  return {
    store: new RedisRoomStore(links, new RedisKeys('test'), scripts),
    openChannels: () => callListener(() => links.subscriber),
    ...redisFaults([links.commands]),
    async stop() {
      await links.close();
      await server.stop();
    },
  };
}

severalDocumentsContract('Redis', () => redisEngine());

severalDocumentsContract('Redis Cluster', async () => {
  const servers = await RedisClusterServers.start(DEBUG);
  const target = parseRedisTarget(servers.url);
  const links = await ClusterLinks.connect({ target, scripts: Object.values(ROOM_SCRIPTS) });
  for (const { subscriber } of links.shards) subscriber.setMaxListeners(0);
  return {
    store: new RedisRoomStore(links, new RedisKeys('test')),
    openChannels: () => callListener((channel) => links.shardOf(slotOf(channel))!.subscriber, 's'),
    ...redisFaults(links.shards.map(({ commands }) => commands)),
    async stop() {
      await links.close();
      await servers.stop();
    },
  };
});

/** A store whose commits and their replies are changed on the way. */
function between(
  change: (request: Parameters<RoomStore['commit']>[0]) => Parameters<RoomStore['commit']>[0],
  changeReply: (reply: CommitReply) => CommitReply = (reply) => reply,
): StoreFlaw {
  return (store) => {
    const commit = store.commit.bind(store);
    store.commit = async (request) => changeReply(await commit(change(request)));
    return store;
  };
}

/** The last of two documents, which the others are kept from. */
const withoutLast = (patch: string): string => {
  const [first] = Object.entries(JSON.parse(patch.replace(/\x03(\d+)\x04/g, '-$1')) as object);
  const text = JSON.stringify(Object.fromEntries([first!]));
  return text.replace(/"base":-(\d+)/g, '"base":\x03$1\x04');
};

const BUGS: { bug: string; changes?: ScriptChange[]; flaw?: StoreFlaw }[] = [
  {
    bug: 'only the first document is compared with what it was read at',
    changes: [
      ["if base == '' or sub(document, 1, #base + 1) ~=", 'if i == 1 and sub(document, 1, #base + 1) ~='],
    ],
  },
  {
    bug: 'a document that was only read is not compared',
    flaw: between((request) => ({
      ...request,
      documents: request.documents.filter(({ json }) => json !== undefined),
    })),
  },
  {
    bug: 'the patch of one document is dropped',
    flaw: between((request) => ({
      ...request,
      entries: request.entries.map((entry) =>
        entry.patch === undefined ? entry : { ...entry, patch: withoutLast(entry.patch) },
      ),
    })),
  },
  {
    bug: 'the second document is not written',
    changes: [
      ["if json ~= '|' then\n    local document", "if json ~= '|' and i ~= 2 then\n    local document"],
    ],
  },
  {
    bug: 'after a conflict the copy of one document is new by its position and old by its value',
    flaw: (store) => {
      let old: { readonly json: string } | undefined;
      return between(
        (request) => request,
        (reply) => {
          if (reply.status === 'committed') return reply;
          const documents = new Map(reply.documents);
          const audit = documents.get('audit');
          if (!audit) return reply;
          old ??= audit;
          documents.set('audit', { ...audit, json: old.json });
          return { ...reply, documents };
        },
      )(store);
    },
  },
];

it.each(BUGS)(
  'is found: $bug',
  async ({ changes = [], flaw }) => {
    const engine = await redisEngine(...changes);
    try {
      const seed = newSeed();
      const search = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await compareDocuments(engine, seed + i, flaw);
      };
      await expect(search()).rejects.toThrow(/CHAOS_SEED=\d+: Error: expect/);
    } finally {
      await engine.stop();
    }
  },
  120_000,
);

@RoomDocument('bank')
class Safe {
  coins = 0;
}

@RoomDocument('bank')
class Log {
  lines = 0;
}

@RoomDocument('bank')
class Unnamed {}

@RoomDocument('shop')
class Shelf {}

describe('a further document of an update', () => {
  const types = { of: () => ({ type: 'bank', history: { events: 99, ttlMs: 99_999 }, idleTtlMs: 0 }) };
  function open(): { safes: RoomStateRepository<Safe>; close: () => void } {
    const { store } = memoryEngine();
    const committer = new Committer(store, types, { nodeId: 'n' });
    const documents = new DocumentRegistry();
    for (const type of [Safe, Log, Shelf]) documents.add(new DocumentType(type));
    const safes = new RoomStateRepository(new DocumentType(Safe), { store, committer, documents });
    return { safes, close: () => committer.close() };
  }
  const room = 'bank:1';

  it('has to be one of the room that a module names, and nothing is written otherwise', async () => {
    const { safes, close } = open();
    const causeOf = (type: new () => object): Promise<unknown> =>
      safes
        .update({ room }, (safe, draft) => {
          safe.coins++;
          draft.document(type);
        })
        .catch(({ cause }: { cause?: Error }) => cause?.message);
    expect(await causeOf(Unnamed)).toContain('WssModule.forFeature([Unnamed])');
    expect(await causeOf(Shelf)).toContain('is a document of rooms "shop"');
    expect(await causeOf(class Bare {})).toContain('@RoomDocument');
    expect((await safes.read({ room })).version).toBe(0);
    close();
  });

  it('can be had while the function runs, and nothing can be added later', async () => {
    const { safes, close } = open();
    let kept: RoomDraft | undefined;
    await safes.update({ room }, (safe, draft) => {
      kept = draft;
      safe.coins++;
      expect(draft.document(Safe)).toBe(safe);
    });
    for (const late of [() => kept!.document(Log), () => kept!.append('e'), () => kept!.count('c', 1)])
      expect(late).toThrow('has returned');
    // The rest of a function that waits fails without anybody to wait for it, and ends nothing.
    const waiting = safes.update({ room }, async (_safe, draft) => {
      await setImmediate();
      draft.append('late');
    });
    await expect(waiting).rejects.toMatchObject({ code: 'internal' });
    await setImmediate();
    expect((await safes.read({ room })).position.seq).toBe(1);
    close();
  });
});
