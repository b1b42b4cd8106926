import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { RoomStart } from '@wss/core';
import { RedisKeys } from '@wss/redis';
import {
  appendWork,
  Committer,
  MemoryEngine,
  MemoryRoomStore,
  type ResumeReply,
  type ResumeRequest,
  type RoomStore,
  StoreError,
} from '@wss/state';
import { eventually } from '@wss/testing';
import { FollowedRoom, type FollowedRoomOptions } from '../../src/following/followed-room.js';
import { FeedFaults } from '../../src/following/room-faults.js';
import { MemoryClusterChannels } from '../../src/index.js';
import { NodeReads } from '../../src/following/room-reads.js';

const ROOM = 'feed:1';
const LIMITS = { type: 'feed', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0 };

describe('a room that is followed', () => {
  let engine: MemoryEngine;
  let store: RoomStore;
  let committer: Committer;
  let room: FollowedRoom | undefined;
  beforeEach(() => {
    engine = new MemoryEngine();
    const keys = new RedisKeys('test');
    store = new MemoryRoomStore(engine, (name) => keys.room(name).channel);
    committer = new Committer(
      store,
      { of: () => LIMITS },
      { nodeId: 'n', channels: new MemoryClusterChannels(engine) },
    );
    committer.onCommitted((_room, epoch, entries) => room?.accept(epoch, entries, true));
  });
  afterEach(() => {
    room?.stop();
    room = undefined;
    committer.close();
  });

  async function add(count: number, text = ''): Promise<void> {
    const event = { event: 'added', data: { text } };
    for (let i = 0; i < count; i++) await committer.perform(appendWork({ room: ROOM }, event));
  }

  async function loseAll(): Promise<void> {
    engine.promote();
    engine.rooms.clear();
  }

  /** @param resume how the log is read */
  async function follow(
    resume: (request: ResumeRequest) => Promise<ResumeReply>,
    listener: Partial<FollowedRoomOptions['listener']> = {},
    reads = new NodeReads(),
  ): Promise<FollowedRoom> {
    const followed = new FollowedRoom({
      room: ROOM,
      store: {
        resume: (request) => resume({ ...request, idleTtlMs: LIMITS.idleTtlMs }),
        tops: (rooms) => store.tops(rooms),
      },
      reads,
      faults: new FeedFaults(),
      listener: {
        deliver: () => undefined,
        reset: async () => undefined,
        epochChanged: async () => undefined,
        letGo: () => undefined,
        ...listener,
      },
      historyEvents: LIMITS.history.events,
      emptyDocuments: new Map(),
    });
    await followed.start();
    room = followed;
    return followed;
  }

  it('R18: is begun at its newest events though it moves on while they are read', async () => {
    await add(1_000);
    let reads = 0;
    const followed = await follow(async (request) => {
      const reply = await store.resume(request);
      // More than one part holds.
      if (request.after !== undefined && ++reads <= 10) await add(50, 'x'.repeat(8_000));
      return reply;
    });
    let start: RoomStart | undefined;
    await followed.begin({ newest: 900, documents: false }, (begun) => (start = begun));
    expect(start!.entries[0]!.first).toBe(101);
    expect(start!.missed).toBe(start!.position.seq - 100);
    expect(reads).toBe(1);
  });

  it('is begun at its documents where they are wanted, whatever number of newest events is named', async () => {
    await add(5);
    const followed = await follow((request) => store.resume(request));
    const begun: RoomStart[] = [];
    await followed.begin({ newest: 3, documents: true }, (start) => begun.push(start));
    const { position } = followed;
    expect(begun).toEqual([expect.objectContaining({ position, missed: 0, entries: [], more: false })]);
    await followed.begin({ newest: 3, documents: false }, (start) => begun.push(start));
    expect(begun[1]).toMatchObject({ position, missed: 3 });
    await followed.begin({ from: position, documents: true }, (start) => begun.push(start));
    expect(begun[2]).toMatchObject({ position, recovered: true, missed: 0 });
  });

  it('reads nothing for callers that do not wait any more', async () => {
    await add(1_000);
    const asked: number[] = [];
    let answer = (): void => undefined;
    const followed = await follow(async (request) => {
      if (request.after === undefined) return store.resume(request);
      asked.push(request.after);
      await new Promise<void>((resolve) => (answer = resolve));
      return store.resume(request);
    });
    const gone = new AbortController();
    const { signal } = gone;
    const begin = (seq: number, of?: AbortSignal): Promise<void> => {
      const from = { epoch: followed.position.epoch, seq };
      return followed.begin({ from, documents: false, ...(of && { signal: of }) }, () => undefined);
    };
    const late = [begin(700, signal), begin(100, signal), begin(200, signal)].map((begun) =>
      expect(begun).rejects.toThrow(),
    );
    await eventually(() => expect(asked).toEqual([700]));
    const waits = begin(500);
    gone.abort(new Error('too late'));
    answer();
    await eventually(() => expect(asked).toEqual([700, 500]));
    answer();
    await Promise.all([waits, ...late]);
    expect(asked).toEqual([700, 500]);
  });

  it('reads no documents for joins that were given up', async () => {
    let reads = 0;
    const ends: (() => void)[] = [];
    const node = new NodeReads();
    const followed = await follow(
      (request) => {
        if (request.documents) reads++;
        return store.resume(request);
      },
      {},
      node,
    );
    const busy = Array.from({ length: 8 }, () =>
      node.beginning.run(() => new Promise<void>((resolve) => ends.push(resolve))),
    );
    const gone = new AbortController();
    const begin = (signal?: AbortSignal): Promise<void> =>
      followed.begin({ documents: true, ...(signal && { signal }) }, () => undefined);
    const late = Array.from({ length: 3 }, () => expect(begin(gone.signal)).rejects.toThrow('too late'));
    gone.abort(new Error('too late'));
    for (const end of ends) end();
    await Promise.all([...busy, ...late]);
    expect(reads).toBe(0);
    await begin();
    expect(reads).toBe(1);
  });

  describe('R23: where its listener fails', () => {
    const bug = new TypeError('a bug');
    let errors: string[];
    beforeEach(() => {
      errors = [];
      Logger.overrideLogger({
        log: () => undefined,
        warn: () => undefined,
        error: (line) => errors.push(String(line)),
      });
    });
    afterEach(() => Logger.overrideLogger(['error', 'fatal']));

    it('at entries, members begin anew from where the room is', async () => {
      const told: unknown[] = [];
      let fails = true;
      await follow((request) => store.resume(request), {
        deliver: (_room, _epoch, entries) => {
          if (fails) throw bug;
          told.push(entries.map(({ first }) => first));
        },
        reset: async (_room, before, { position }) => {
          fails = false;
          told.push([before.seq, position.seq]);
        },
      });
      await add(1);
      await eventually(() => expect(told).toEqual([[1, 1]]));
      await add(1);
      await eventually(() => expect(told).toEqual([[1, 1], [2]]));
    });

    it('at a reset because of the engine, it is told again, from the same position', async () => {
      await add(3);
      const told: number[] = [];
      const followed = await follow((request) => store.resume(request), {
        reset: async (_room, before) => {
          if (told.push(before.seq) === 1) throw new StoreError('unavailable', 'no answer');
        },
      });
      await loseAll();
      followed.repair();
      await eventually(() => expect(told).toEqual([3, 3]));
      expect(errors).toEqual([]);
    });

    it('at every reset, members are let go, and it is not tried for ever', async () => {
      await add(3);
      let resets = 0;
      const gone: string[] = [];
      const followed = await follow((request) => store.resume(request), {
        reset: async () => {
          resets++;
          throw bug;
        },
        letGo: (name) => void gone.push(name),
      });
      await loseAll();
      followed.repair();
      await eventually(() => expect(gone).toEqual([ROOM]));
      await followed.confirm().catch(() => undefined);
      expect(gone).toEqual([ROOM]);
      expect(resets).toBe(3);
    });
  });
});
