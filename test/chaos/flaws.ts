import { ROOM_SCRIPTS, type RoomScripts, RoomStore } from '@wss/state';
import { changedScript, type ScriptChange as Change } from '@wss/testing';

/** Copies of the scripts with these places changed; each must stand there exactly once, so that no plant rots. */
export function flawedScripts(changes: {
  readonly commit?: readonly Change[];
  readonly resume?: readonly Change[];
}): RoomScripts {
  return {
    commit: changedScript(ROOM_SCRIPTS.commit, changes.commit ?? []),
    resume: changedScript(ROOM_SCRIPTS.resume, changes.resume ?? []),
    history: ROOM_SCRIPTS.history,
    leave: ROOM_SCRIPTS.leave,
    keep: ROOM_SCRIPTS.keep,
    keepLane: ROOM_SCRIPTS.keepLane,
  };
}

const STORE_EPOCH = "call('HSET', KEYS[1], 's', room.top, 'e', history, 'l', table.concat(lineage, ','))";

/** Leaves the bodies of entries out that are not to be written; every entry has one. */
const TAKE_BODIES_OUT = `
local left, at = {}, 1
for i = 1, entries do
  local body = sub(text, at, at + sizes[i] - 1)
  at = at + sizes[i] + 1
  if verdicts[i] == 'ok' then
    left[#left + 1] = body
  else
    sizes[i], last, events = 0, last - match(body, '^%d+'), events - match(body, '^%d+')
  end
end
text = table.concat(left, '\\n')`;

/** The bugs that a script may have, by the rule that it breaks. */
export const SCRIPT_FLAWS = {
  noDedupe: () =>
    flawedScripts({
      commit: [['if n <= lane.highest then return judge_repeat(lane, key, n, digits, ARGV[2 + i]) end', '']],
    }),
  /** A repeat is left out, but what the node computed together with it is written (R2). */
  keepsBatchDocument: () =>
    flawedScripts({
      commit: [
        [
          "if verdict ~= 'ok' then refused = true end",
          "if verdict ~= 'ok' and string.sub(verdict, 1, 4) ~= 'dup|' then refused = true end",
        ],
        ['local oldest = last %', `${TAKE_BODIES_OUT}\nlocal oldest = last %`],
        [
          'for i = 1, entries do\n  local key, n, record',
          "for i = 1, entries do if verdicts[i] == 'ok' then\n  local key, n, record",
        ],
        ["    call('HSET', key, n, record)\n  end\nend", "    call('HSET', key, n, record)\n  end\nend end"],
      ],
    }),
  /** A document's version is a number that two branches of the history share (R3). */
  bareVersion: () =>
    flawedScripts({
      commit: [
        [
          "if base == '' or sub(document, 1, #base + 1) ~= base .. '|' then conflict = true end",
          "if string.match(document, '^[^|]*:(%d+)|') ~= string.match(base, '%d*$') then conflict = true end",
        ],
      ],
    }),
  /** A number is judged after its session, and its record, have gone (R6). */
  judgesEndedSession: () =>
    flawedScripts({ commit: [['if now >= (ends_at < 0 and -ends_at or ends_at) or', 'if']] }),
  /** Replies name an epoch that is stored nowhere (R13). */
  mintsWithoutStoring: () => {
    const changes: Change[] = [[STORE_EPOCH, `if not room.past then ${STORE_EPOCH} end`]];
    return flawedScripts({ commit: changes, resume: changes });
  },
  staticEpoch: () => {
    const changes: Change[] = [['elseif room.past ~= room.replid then', 'elseif false then']];
    return flawedScripts({ commit: changes, resume: changes });
  },
  publishesBeforeWriting: () =>
    flawedScripts({
      commit: [
        [
          "local id = room.number .. '-' .. digits\n",
          "call('PUBLISH', channel, room.epoch .. ':' .. digits .. ' ' .. digits .. '\\n' .. body)\n" +
            "  local id = room.number .. '-' .. digits\n",
        ],
        ['redis.pcall(publish, channel, epoch', '0 * #(publish .. epoch'],
      ],
    }),
  servesTrimmedLog: () =>
    flawedScripts({
      resume: [
        ["if part.gap then mode, part.entries, part.full = 'trimmed', {}, false end", ''],
        ['if strict then return false end', ''],
      ],
    }),
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

  history(...args: Parameters<RoomStore['history']>): ReturnType<RoomStore['history']> {
    return this.store.history(...args);
  }

  tops(...args: Parameters<RoomStore['tops']>): ReturnType<RoomStore['tops']> {
    return this.store.tops(...args);
  }

  numbers(...args: Parameters<RoomStore['numbers']>): ReturnType<RoomStore['numbers']> {
    return this.store.numbers(...args);
  }

  time(...args: Parameters<RoomStore['time']>): ReturnType<RoomStore['time']> {
    return this.store.time(...args);
  }

  callChannel(...args: Parameters<RoomStore['callChannel']>): string {
    return this.store.callChannel(...args);
  }

  leaveQueue(...args: Parameters<RoomStore['leaveQueue']>): ReturnType<RoomStore['leaveQueue']> {
    return this.store.leaveQueue(...args);
  }

  keep(...args: Parameters<RoomStore['keep']>): ReturnType<RoomStore['keep']> {
    return this.store.keep(...args);
  }

  durable(...args: Parameters<RoomStore['durable']>): Promise<boolean> {
    return this.repeated ? Promise.resolve(true) : this.store.durable(...args);
  }
}
