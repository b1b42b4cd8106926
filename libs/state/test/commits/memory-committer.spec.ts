import { expect, it } from '@jest/globals';
import { appendWork, Committer, MemoryEngine, MemoryRoomStore } from '../../src/index.js';
import { committerContract } from './committer.contract.js';

committerContract('the memory engine', () => {
  const engine = new MemoryEngine();
  return Promise.resolve({
    openStore: () =>
      Promise.resolve({
        store: new MemoryRoomStore(engine),
        channels: {
          subscribe: async (channel, listener) => engine.channels.subscribe(channel, listener),
          unsubscribe: (channel, listener) => engine.channels.unsubscribe(channel, listener),
        },
      }),
    loseReplies: async (count) => engine.loseReplies(count),
    failCalls: async (count) => engine.failCalls(count),
    refusePublications: async (refused) => void (engine.channels.refusing = refused),
    setReachable: async (reachable) => engine.setReachable(reachable),
    stop: () => Promise.resolve(),
  });
});

const types = {
  of: () => ({ type: 'tally', history: { events: 1_000, ttlMs: 86_400_000 }, idleTtlMs: 0 }),
};

it("R30: a work of a node's own lane is never done again when its record is over, and the next lane is in time", async () => {
  let [clock, steady] = [1_000_000_000, 0];
  const engine = new MemoryEngine(() => clock);
  const store = new MemoryRoomStore(engine);
  const [commit, lanes] = [store.commit.bind(store), [] as string[]];
  let setClock: (() => void) | undefined;
  store.commit = async (request) => {
    if (!request.judgeOnly) lanes.push(request.entries[0]!.lane.id);
    if (setClock) engine.loseReplies(1);
    return commit(request).finally(() => {
      setClock?.();
      setClock = undefined;
    });
  };
  const committer = new Committer(store, types, { nodeId: 'n', now: () => steady, patienceMs: 60_000 });
  const append = () =>
    committer
      .perform({ ...appendWork({ room: 'r' }, { event: 'tally.noted', data: {} }), deadline: Infinity })
      .then(({ position }) => position.seq)
      .catch(({ code }: { code?: string }) => code);
  setClock = () => (clock += 3_600_000);
  expect([await append(), await append(), await append()]).toEqual(['unknown_outcome', 2, 3]);
  clock += 300_001;
  steady += 300_001;
  expect(await append()).toBe(4);
  // A clock that is set back: the lane would outlive its record.
  clock -= 3_600_000;
  expect([await append(), await append()]).toEqual([5, 6]);
  clock += 3_600_000;
  expect(await append()).toBe(7);
  expect(lanes).toEqual(['@n.1', '@n.2', '@n.2', '@n.3', '@n.3', '@n.4', '@n.4', '@n.4', '@n.5']);
  committer.close();
});
