import { afterEach, describe, expect, it } from '@jest/globals';
import { changedScript, newSeed, RestartingEngine, type ScriptChange } from '@wss/testing';
import { writeSync } from 'node:fs';
import { ROOM_SCRIPTS, type RoomScripts } from '../../src/index.js';
import { FuzzTwins } from './fuzz-twins.js';
import { memoryStore } from './room-store-engines.js';

/** `npm run chaos` asks for more. */
const SEQUENCES = process.env.CHAOS === 'long' ? 10_000 : 200;
/** Within so many sequences a planted bug is found. */
const SEQUENCES_FOR_BUGS = 2_000;

describe('the memory engine and Redis', () => {
  let twins: FuzzTwins | undefined;
  afterEach(async () => {
    await twins?.stop();
    twins = undefined;
  });

  it('answer, publish and keep the same, whatever is asked of them, when time passes and history is lost', async () => {
    const seed = newSeed();
    twins = await FuzzTwins.open();
    for (let i = 0; i < SEQUENCES; i++) await twins.compare(seed + i);
    const line = JSON.stringify({ seed, sequences: SEQUENCES, ...twins.counts });
    writeSync(process.stderr.fd, `fuzzed stores: ${line}\n`);
  }, 1_800_000);

  it('answer, publish and keep the same when one of two embedded ones restarts from snapshots', async () => {
    const seed = newSeed();
    const restarting = new RestartingEngine();
    twins = await FuzzTwins.of([await memoryStore(), await memoryStore(restarting)]);
    for (let i = 0; i < SEQUENCES; i++) await twins.compare(seed + i);
    expect(restarting.restarts).toBeGreaterThan(SEQUENCES);
  }, 300_000);

  it.each<{ bug: string; changes: ScriptChange[]; onlyCommits?: true; ofHistory?: true }>([
    {
      bug: 'R32: meta evicted, documents left',
      changes: [["if ends.parts('') == '' then return begin", 'if true then return begin']],
    },
    {
      bug: 'R32: what was written is not noted',
      changes: [['log_at, log_at, ends.parts(ends.written)', "log_at, log_at, ''"]],
    },
    {
      bug: 'R36: lanes reset at an idle end',
      changes: [
        [
          "call('HSET', KEYS[1], 'z', string.format",
          "room.birth = nil\n    call('HSET', KEYS[1], 'z', string.format",
        ],
      ],
    },
    {
      bug: 'R36: a deletion leaves the documents',
      changes: [["for i = 2, 4 do call('DEL', KEYS[i]) end", "for i = 3, 4 do call('DEL', KEYS[i]) end"]],
    },
    {
      bug: 'R36: a deletion goes on in its epoch',
      changes: [["next_life(idle, stubs, ' deleted')", "call('HSET', KEYS[1], 'z', '1 deleted')"]],
    },
    {
      bug: 'R38: work of a node brings a deleted room back',
      changes: [
        ["local unopened = room.deleted and opens == '~'", "local unopened = false and opens == '~'"],
      ],
      onlyCommits: true,
    },
    {
      bug: 'R38: a deleted room is never used again',
      changes: [['life_of(room).use()', 'do end']],
      onlyCommits: true,
    },
    {
      bug: 'R38: a commit is written whatever gate its node has applied',
      changes: [['if refused or conflict or outdated or', 'if refused or conflict or']],
      onlyCommits: true,
    },
    {
      bug: 'R38: a new epoch forgets the gate',
      changes: [
        [
          'local history = history_of(room.replid)',
          "local history = room.replid .. ' ' .. room.birth .. ' ' .. room.epoch",
        ],
      ],
    },
    {
      bug: 'a room keeps more keys that take effect once than it may',
      changes: [['if over >= 0 then', 'if over > 0 then']],
      onlyCommits: true,
    },
    {
      bug: 'a key that is refused counts as used in its commit',
      changes: [["lane.highest = lane.highest - 1\n        return 'full|", "return 'full|"]],
      onlyCommits: true,
    },
    {
      bug: 'R36: an idle end leaves older positions',
      changes: [['elseif life.has_ended() then\n      next_life', 'elseif false then\n      next_life']],
    },
    {
      bug: 'R14: a page goes on below a position that was lost',
      changes: [['elseif seq > limit then', 'elseif false then']],
      ofHistory: true,
    },
    {
      bug: 'R16: a page begins amid the entries, not with the one of its last event',
      changes: [["number .. '-' .. string.format('%d', seq), '+'", "number .. '-0', '+'"]],
      ofHistory: true,
    },
  ])(
    'differ when this is planted: $bug',
    async ({ changes, onlyCommits = false, ofHistory = false }) => {
      const seed = newSeed();
      const scripts = ofHistory ? flawedHistory(changes) : flawed(changes, onlyCommits);
      twins = await FuzzTwins.open(scripts);
      const search = async (): Promise<void> => {
        for (let i = 0; i < SEQUENCES_FOR_BUGS; i++) await twins!.compare(seed + i);
      };
      await expect(search()).rejects.toThrow('CHAOS_SEED=');
    },
    300_000,
  );
});

function flawed(changes: readonly ScriptChange[], onlyCommits: boolean): RoomScripts {
  const { commit, resume } = ROOM_SCRIPTS;
  return {
    ...ROOM_SCRIPTS,
    commit: changedScript(commit, changes),
    ...(!onlyCommits && { resume: changedScript(resume, changes) }),
  };
}

function flawedHistory(changes: readonly ScriptChange[]): RoomScripts {
  return { ...ROOM_SCRIPTS, history: changedScript(ROOM_SCRIPTS.history, changes) };
}
