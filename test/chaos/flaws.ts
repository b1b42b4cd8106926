import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LuaScript } from '@wss/redis';
import { ROOM_SCRIPTS, type RoomScripts, RoomStore } from '@wss/state';
import { TemporaryFolder } from '@wss/testing';

type Change = readonly [from: string, to: string];

/** Copies of the scripts with these places changed; each must stand there exactly once, so that no plant rots. */
export function flawedScripts(changes: {
  readonly commit?: readonly Change[];
  readonly resume?: readonly Change[];
}): RoomScripts {
  return {
    commit: flawed(ROOM_SCRIPTS.commit, changes.commit ?? []),
    resume: flawed(ROOM_SCRIPTS.resume, changes.resume ?? []),
  };
}

type Script = RoomScripts['commit'];

function flawed(script: Script, changes: readonly Change[]): Script {
  let text = script.source;
  for (const [from, to] of changes) {
    if (text.split(from).length !== 2) throw new Error(`the script does not have this once: ${from}`);
    text = text.replace(from, () => to);
  }
  const folder = new TemporaryFolder('flaw');
  const file = join(folder.path, 'script.lua');
  writeFileSync(file, text);
  const copy: Script = new LuaScript(pathToFileURL(file));
  folder.remove();
  return copy;
}

const STORE_EPOCH = "redis.call('HSET', key, 's', room.seq, 'n', room.number, 'e', nonce,";

/** The bugs that a script may have, by the rule that it breaks. */
export const SCRIPT_FLAWS = {
  noDedupe: () =>
    flawedScripts({
      commit: [['if entry.n <= lane.highest then return judge_repeat(entry, lane) end', '']],
    }),
  /** A repeat is left out, but what the node computed together with it is written (R2). */
  keepsBatchDocument: () =>
    flawedScripts({
      commit: [
        [
          "if verdicts[i] ~= 'ok' then refused = true end",
          "entry.skip = string.sub(verdicts[i], 1, 4) == 'dup|'\n" +
            "if verdicts[i] ~= 'ok' and not entry.skip then refused = true end",
        ],
        [
          'if entry.events > 0 then\n    room.seq =',
          'if entry.events > 0 and not entry.skip then\n    room.seq =',
        ],
        [
          'list[#list + 1] = entry.n\n',
          "if entry.skip then entry.n = 'x' end\n  list[#list + 1] = entry.n\n",
        ],
      ],
    }),
  /** A document's version is a number that two branches of the history share (R3). */
  bareVersion: () =>
    flawedScripts({
      commit: [
        [
          'if base ~= document.base then conflict = true end',
          "if string.match(base, '%d*$') ~= string.match(document.base, '%d*$') then conflict = true end",
        ],
      ],
    }),
  /** A number is judged after its session, and its record, have gone (R6). */
  judgesEndedSession: () =>
    flawedScripts({ commit: [["if entry.ends > 0 and now > entry.ends then return 'expired' end", '']] }),
  /** Replies name an epoch that is stored nowhere (R13). */
  mintsWithoutStoring: () => {
    const changes: Change[] = [[STORE_EPOCH, `if not meta[3] then ${STORE_EPOCH}`]];
    const closing: Change = [
      "'b', room.birth)\n  end\n  room.epoch",
      "'b', room.birth) end\n  end\n  room.epoch",
    ];
    return flawedScripts({ commit: [...changes, closing], resume: [...changes, closing] });
  },
  staticEpoch: () => {
    const changes: Change[] = [['if meta[4] ~= replid then', 'if not meta[4] then']];
    return flawedScripts({ commit: changes, resume: changes });
  },
  publishesBeforeWriting: () =>
    flawedScripts({
      commit: [
        [
          "redis.call('XADD', KEYS[3],",
          "redis.call('PUBLISH', channel, room.epoch .. ':' .. room.seq .. ' ' .. (room.seq - entry.events + 1) .. '\\n' .. body)\n" +
            "    redis.call('XADD', KEYS[3],",
        ],
        ['redis.call(ARGV[7], channel,', 'local _ = (ARGV[7] .. channel .. '],
      ],
    }),
  servesTrimmedLog: () =>
    flawedScripts({ resume: [["mode = oldest <= seq + 1 and 'replay' or 'trimmed'", "mode = 'replay'"]] }),
} satisfies Record<string, () => RoomScripts>;

/** A store that takes a repeat for durable because its first answer was to be (R19). */
export class UnfencedRepeats extends RoomStore {
  private repeated = false;

  constructor(private readonly store: RoomStore) {
    super();
  }

  async commit(request: Parameters<RoomStore['commit']>[0]): ReturnType<RoomStore['commit']> {
    const reply = await this.store.commit(request);
    this.repeated = reply.status === 'judged' && reply.verdicts.some(({ kind }) => kind === 'duplicate');
    return reply;
  }

  resume(...args: Parameters<RoomStore['resume']>): ReturnType<RoomStore['resume']> {
    return this.store.resume(...args);
  }

  tops(...args: Parameters<RoomStore['tops']>): ReturnType<RoomStore['tops']> {
    return this.store.tops(...args);
  }

  numbers(...args: Parameters<RoomStore['numbers']>): ReturnType<RoomStore['numbers']> {
    return this.store.numbers(...args);
  }

  keep(...args: Parameters<RoomStore['keep']>): ReturnType<RoomStore['keep']> {
    return this.store.keep(...args);
  }

  durable(...args: Parameters<RoomStore['durable']>): Promise<boolean> {
    return this.repeated ? Promise.resolve(true) : this.store.durable(...args);
  }
}
