import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { eventually, RedisServer } from '@wss/testing';
import { type CommitReply, RedisRoomStore, type ResumeReply, ROOM_SCRIPTS } from '../../src/index.js';
import { entry, event } from './room-store.contract.js';

/** Each way in which a Redis may say no, and how it comes to say yes again. */
const refusals: {
  name: string;
  args?: string[];
  refuse(server: RedisServer): Promise<void>;
  heal(server: RedisServer): Promise<void>;
}[] = [
  {
    name: 'memory is full (OOM)',
    refuse: async (server) => void (await server.cli('CONFIG', 'SET', 'maxmemory', '1')),
    heal: async (server) => void (await server.cli('CONFIG', 'SET', 'maxmemory', '0')),
  },
  {
    name: 'replicas are missing (NOREPLICAS)',
    refuse: async (server) => void (await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')),
    heal: async (server) => void (await server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')),
  },
  {
    name: 'snapshots fail (MISCONF)',
    args: ['--enable-protected-configs', 'yes', '--save', '3600', '1'],
    refuse: async (server) => {
      await server.cli('CONFIG', 'SET', 'rdbcompression', 'no', 'dbfilename', 'missing.rdb');
      await server.cli('CONFIG', 'SET', 'dir', '/proc');
      await server.cli('BGSAVE');
      await eventually(async () => {
        expect(String(await server.cli('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:err');
      });
    },
    heal: async (server) => {
      await server.cli('CONFIG', 'SET', 'dir', '/tmp');
      await server.cli('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
    },
  },
];

describe('a Redis that refuses', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let store: RedisRoomStore;
  let room: string;

  beforeEach(() => {
    room = `board:${randomUUID()}`;
  });
  afterEach(async () => {
    await links.close();
    await server.stop();
  });
  async function start(args: string[] = []): Promise<void> {
    server = await RedisServer.start({ args });
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
    store = new RedisRoomStore(links, new RedisKeys('test'));
  }
  function commit(n: number): Promise<CommitReply> {
    return store.commit({
      room,
      entries: [entry(n, { events: [event('e', { n })] })],
      documents: [{ name: 'board', base: '', json: `{"n":${n}}`, entry: 0 }],
      history: { events: 1_000, ttlMs: 86_400_000 },
      idleTtlMs: 0,
    });
  }
  const read = (): Promise<ResumeReply> =>
    store.resume({ room, idleTtlMs: 0, newest: 100, documents: true, lane: 's1' });

  it.each(refusals)(
    'because $name: nothing is done, and the same number counts when it serves again',
    async ({ args, refuse, heal }) => {
      await start(args);
      await refuse(server);
      await expect(commit(1)).rejects.toMatchObject({ outcome: 'unavailable' });
      await heal(server);
      const before = await read();
      expect(before).toMatchObject({ position: { seq: 0 }, entries: [] });
      expect(before.documents.size).toBe(0);
      expect(before.n).toBeUndefined();
      expect(await commit(1)).toMatchObject({ status: 'committed', seqs: [1] });
      expect(await read()).toMatchObject({ position: { seq: 1 }, n: 1 });
    },
  );

  it('because it is a replica now (READONLY): nothing is done, and the link looks for the master anew', async () => {
    await start();
    await commit(1);
    const master = await RedisServer.start();
    await server.cli('REPLICAOF', '127.0.0.1', master.port);
    await expect(commit(2)).rejects.toMatchObject({ outcome: 'unavailable' });
    await server.cli('REPLICAOF', 'NO', 'ONE');
    await master.stop();
    await eventually(async () => expect((await read()).position.seq).toBeLessThan(2));
  });

  it('because a script runs too long (BUSY): nothing is done', async () => {
    await start(['--busy-reply-threshold', '20']);
    await commit(1);
    const busy = server.cli('EVAL', 'while true do end', 0).catch(() => undefined);
    await eventually(async () => {
      await expect(server.cli('PING')).rejects.toThrow('BUSY');
    });
    const refused = store.resume({ room, idleTtlMs: 0 });
    await expect(refused).rejects.toMatchObject({ outcome: 'unavailable' });
    await server.cli('SCRIPT', 'KILL');
    await busy;
    expect(await read()).toMatchObject({ position: { seq: 1 }, n: 1 });
  });

  it('no script, because it forgot them all: they are brought again', async () => {
    await start();
    await commit(1);
    await server.cli('SCRIPT', 'FLUSH');
    expect(await commit(2)).toMatchObject({ status: 'judged' });
    expect(await read()).toMatchObject({ position: { seq: 1 } });
  });
});
