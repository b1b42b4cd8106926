import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type Client, Command, CommandOrder, type GatewayError, RoomDocument } from '@wss/core';
import { parseRedisTarget, RedisKeys, RedisLinks, ReplicationFence } from '@wss/redis';
import { RedisServer, replicasInStep } from '@wss/testing';
import {
  Committer,
  DocumentRegistry,
  DocumentType,
  RedisRoomStore,
  ROOM_SCRIPTS,
  RoomStateRepository,
} from '../src/index.js';

@RoomDocument('vault')
class Vault {
  value = 0;
}

const types = {
  of: () => ({ type: 'vault', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0, durable: true }),
};
const client: Client = { id: 'c', user: 'ann', claims: {} };

describe('durable commits', () => {
  let server: RedisServer;
  let replica: RedisServer;
  let links: RedisLinks;
  let committer: Committer;
  let store: RedisRoomStore;
  let vaults: RoomStateRepository<Vault>;
  let room: string;

  beforeAll(async () => {
    const args = ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0'];
    server = await RedisServer.start({ args });
    replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
    await replicasInStep([server, replica]);
    const scripts = Object.values(ROOM_SCRIPTS);
    links = await RedisLinks.connect({ target: parseRedisTarget(server.url), scripts, withFence: true });
    const keys = new RedisKeys('test');
    const fence = new ReplicationFence(links.fence!, keys.fence('n'), 1);
    store = new RedisRoomStore(links, keys, ROOM_SCRIPTS, { fence });
    committer = new Committer(store, types, { nodeId: 'n', patienceMs: 300 });
    vaults = new RoomStateRepository(new DocumentType(Vault), {
      store,
      committer,
      documents: new DocumentRegistry(),
    });
  });
  afterAll(async () => {
    committer?.close();
    await links?.close();
    await replica?.stop();
    await server?.stop();
  });
  beforeEach(() => {
    room = `vault:${randomUUID()}`;
  });
  afterEach(() => replica.resume());

  async function add(n: number, withinMs = 5_000): Promise<number> {
    const number = { session: `${room}/s`, generation: 1, sessionEndsAt: Date.now() + 86_400_000, n, ack: 0 };
    const frame = { event: 'vault.add', data: {}, id: 1, room };
    const order = new CommandOrder();
    const command = new Command({ frame, client, deadline: performance.now() + withinMs, order, number });
    return vaults.update(command, (vault, draft) => {
      draft.append('vault.added', {});
      return ++vault.value;
    });
  }
  const refusal = (work: Promise<unknown>): Promise<GatewayError> =>
    work.then(
      () => Promise.reject(new Error('it was answered')),
      (error: GatewayError) => error,
    );

  it('R19: are on the replica when they are answered', async () => {
    expect(await add(1)).toBe(1);
    await server.pause();
    const [documents] = (await replica.cli('KEYS', `*${room}*:d`)) as string[];
    expect(String(await replica.cli('HVALS', documents!))).toContain('"value":1');
    server.resume();
  });

  it('R19: are never answered with success while the replica lacks them, nor when they are sent again', async () => {
    await replica.pause();
    for (const _ of [1, 2]) {
      const error = await refusal(add(1, 400));
      expect(error.code).toBe('unknown_outcome');
      expect(error.toBody()).toMatchObject({ retry: true, applied: true });
    }
    expect((await vaults.read({ room })).value.value).toBe(1);
    replica.resume();
    expect(await add(1)).toBe(1);
    expect((await vaults.read({ room })).value.value).toBe(1);
  });

  it('R19: do not count a fence on another history', async () => {
    await add(1);
    const { replicationId } = await store.resume({ room, idleTtlMs: 0 });
    expect(await store.durable(room, replicationId, 2_000)).toBe(true);
    await links.commands.call('DEBUG', 'CHANGE-REPL-ID');
    expect(await store.durable(room, replicationId, 2_000)).toBe(false);
  });
});
