import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type Client, Command, CommandOrder, GatewayError } from '@wss/core';
import { parseRedisTarget, RedisKeys, RedisLinks } from '@wss/redis';
import { RedisServer } from '@wss/testing';
import {
  appendWork,
  type CommitRequest,
  type CommitReply,
  Committer,
  DocumentRegistry,
  DocumentType,
  RedisRoomStore,
  ROOM_SCRIPTS,
  RoomStateRepository,
  StoreError,
} from '../../src/index.js';
import { Tally } from '../commits/committer.contract.js';

const types = {
  of: () => ({ type: 'tally', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0 }),
};
const client: Client = { id: 'c', user: 'ann', claims: {} };

describe('R35: commits that Redis answers with an error, or on a new history', () => {
  let server: RedisServer;
  let links: RedisLinks;
  let room: string;
  let attempts: boolean[];
  let lanes: string[];
  const committers: Committer[] = [];
  const keys = new RedisKeys('test');

  beforeAll(async () => {
    server = await RedisServer.start({ args: ['--enable-debug-command', 'local'] });
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts });
  });
  afterAll(async () => {
    for (const committer of committers) committer.close();
    await links?.close();
    await server?.stop();
  });
  beforeEach(() => {
    room = `tally:${randomUUID()}`;
    attempts = [];
    lanes = [];
  });

  /** A node; the attempts of its commits are noted, true for a write. */
  function open(patienceMs: number): (n?: number) => Promise<unknown> {
    const store = new RedisRoomStore(links, keys);
    const commit = store.commit.bind(store);
    store.commit = (request) => {
      attempts.push(!request.judgeOnly);
      lanes.push(...request.entries.map(({ lane }) => lane.id));
      return commit(request);
    };
    const committer = new Committer(store, types, { nodeId: randomUUID(), patienceMs });
    committers.push(committer);
    const tallies = new RoomStateRepository(new DocumentType(Tally), {
      store,
      committer,
      documents: new DocumentRegistry(),
    });
    const order = new CommandOrder();
    return async (n) => {
      const number = n !== undefined && {
        number: {
          session: `${room}/s`,
          generation: 1,
          sessionEndsAt: Date.now() + 86_400_000,
          n,
          ack: n - 1,
        },
      };
      const frame = { event: 'tally.add', data: {}, id: 1, room };
      const command = new Command({ frame, client, deadline: Date.now() + 60_000, order, ...number });
      const added = tallies.update(command, (tally, draft) => {
        draft.append('tally.added');
        return ++tally.value;
      });
      return added
        .catch((error: unknown) => (error instanceof GatewayError ? error.code : error))
        .finally(() => command.pass());
    };
  }

  it('in the same way twice, having written nothing, are internal and not recorded; the room goes on', async () => {
    const add = open(60_000);
    await server.cli('SET', keys.room(room).log, 'no log');
    const failed = await Promise.all([add(), add(1), add()]);
    expect(failed).toEqual(['internal', 'internal', 'internal']);
    expect(attempts).toEqual([true, false, true, false]);
    expect(await server.cli('EXISTS', keys.room(room).documents)).toBe(0);
    await server.cli('DEL', keys.room(room).log);
    expect([await add(), await add(1), await add(2), await add()]).toEqual([1, 2, 3, 4]);
  });

  it('before they can be judged are of unknown outcome, and never written again and again', async () => {
    const add = open(200);
    expect(await add()).toBe(1);
    const { documents } = keys.room(room);
    await server.cli('RENAME', documents, `${documents}:kept`);
    await server.cli('SET', documents, 'no documents');
    attempts = [];
    expect(await Promise.all([add(), add(1)])).toEqual(['unknown_outcome', 'unknown_outcome']);
    expect(attempts.filter((isWrite) => isWrite)).toHaveLength(2);
    await server.cli('RENAME', `${documents}:kept`, documents);
    expect([await add(1), await add()]).toEqual([2, 3]);
  });

  /** Appends to the room by a node whose writes these stand in for, one after another, until there is none left. */
  async function append(writes: ((write: () => Promise<CommitReply>) => Promise<CommitReply>)[]) {
    const store = new RedisRoomStore(links, keys);
    const commit = store.commit.bind(store);
    store.commit = (request: CommitRequest) => {
      attempts.push(!request.judgeOnly);
      const next = request.judgeOnly ? undefined : writes.shift();
      return next ? next(() => commit(request)) : commit(request);
    };
    const committer = new Committer(store, types, { nodeId: randomUUID(), patienceMs: 60_000 });
    committers.push(committer);
    const told = committer.perform(appendWork({ room }, { event: 'tally.noted', data: {} }));
    const code = await told.catch((error: unknown) => (error instanceof GatewayError ? error.code : error));
    return { code, committer };
  }
  const lost = () => Promise.reject(new StoreError('unknown', 'Command timed out'));
  const failed = () => Promise.reject(new StoreError('failed', 'ERR the same'));

  it('R12: are of unknown outcome where one without an answer is under way, and is carried out at last', async () => {
    let late: (() => Promise<CommitReply>) | undefined;
    const first = (write: () => Promise<CommitReply>) => {
      late = write;
      return lost();
    };
    const closing = async (write: () => Promise<CommitReply>) => {
      await late!();
      return write();
    };
    const { code, committer } = await append([first, failed, failed, closing]);
    expect(code).toBe('unknown_outcome');
    await committer.settled(room);
    expect((await new RedisRoomStore(links, keys).resume({ room, idleTtlMs: 0 })).position.seq).toBe(1);
  });

  it('R41: end at once in a room that a newer release keeps, also where an answer was lost before', async () => {
    const newer = () => server.cli('HSET', keys.room(room).meta, 'e', 'v2 of a newer one', 's', '0');
    await newer();
    expect(await append([])).toMatchObject({ code: 'unavailable' });
    expect(attempts).toEqual([true]);
    attempts = [];
    room = `tally:${randomUUID()}`;
    const upgraded = async () => {
      await newer();
      return lost();
    };
    const { code, committer } = await append([upgraded]);
    expect(code).toBe('unknown_outcome');
    await committer.settled(room);
    expect(attempts).toEqual([true, false, true]);
  });

  it('R12: are numbered in a new lane when the epoch is a new one', async () => {
    const add = open(1_200);
    expect([await add(), await add()]).toEqual([1, 2]);
    await server.cli('DEBUG', 'CHANGE-REPL-ID');
    expect([await add(), await add(), await add()]).toEqual([3, 4, 5]);
    expect(new Set(lanes.slice(0, -2)).size).toBe(1);
    expect(new Set(lanes.slice(-2)).size).toBe(1);
    expect(lanes.at(-1)).not.toBe(lanes[0]);
  });
});
