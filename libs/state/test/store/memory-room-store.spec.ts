import { describe, expect, it } from '@jest/globals';
import { RestartingEngine } from '@wss/testing';
import { MemoryEngine, MemoryRoomStore } from '../../src/index.js';
import { roomHistoryContract } from './room-history.contract.js';
import { memoryStore } from './room-store-engines.js';
import { entry, roomStoreContract } from './room-store.contract.js';

roomHistoryContract('memory', () => memoryStore());
roomStoreContract('memory', () => memoryStore());
roomStoreContract('memory that restarts', () => memoryStore(new RestartingEngine()));

describe('memory room store', () => {
  it('R34: knows no number of a record that is over, whoever asks first', async () => {
    let now = Date.now();
    const store = new MemoryRoomStore(new MemoryEngine(() => now));
    const history = { events: 9, ttlMs: 1_000 };
    const entries = [entry(1, { endsAt: now + 1_000 })];
    await store.commit({ room: 'r', entries, documents: [], history, idleTtlMs: 1_000 });
    expect(await store.numbers('r', ['s1'])).toEqual([1]);
    now += 2 * 3_600_000;
    expect(await store.numbers('r', ['s1'])).toEqual([undefined]);
  });
});
