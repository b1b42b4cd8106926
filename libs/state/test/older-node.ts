import type { Position } from '@wss/protocol';
import { type DataLinks, LuaScript, type RedisKeys } from '@wss/redis';
import type { CommitReply, CommitRequest } from '../src/index.js';
import type { CommitEntry } from '../src/store/room-store.js';
import { decodeCommit, encodeCommit } from '../src/store/commit-format.js';

const file = (name: string): URL => new URL(`./release-1/${name}.lua`, import.meta.url);
const SCRIPTS = {
  commit: new LuaScript<string | string[]>(file('room'), file('room_line'), file('room_commit')),
  resume: new LuaScript<(string | number)[]>(file('room'), file('room_resume')),
};

/** A room as the release before reads it. */
export interface OlderReply {
  readonly mode: string;
  readonly position: Position;
  readonly documents: ReadonlyMap<string, string>;
  /** Numbers of the last events of entries. */
  readonly last: number[];
}

/** A node of the release before, with its scripts as they were shipped. */
export class OlderNode {
  private nonces = 0;

  constructor(
    private readonly links: DataLinks,
    private readonly keys: RedisKeys,
  ) {}

  async commit(request: CommitRequest): Promise<CommitReply> {
    const keys = this.keys.room(request.room);
    const idle = String(request.idleTtlMs);
    const { lanes, args } = encodeCommit({ ...request, entries: request.entries.map(asOlder) }, keys, {
      publish: this.links.publish,
      idle,
    });
    const all = [keys.meta, keys.documents, keys.log, keys.counters, ...lanes];
    const answer = await SCRIPTS.commit.run(this.links.commands, all, args);
    const [head, ...rest] = typeof answer === 'string' ? [answer] : answer;
    // It did not say what was lost.
    return decodeCommit([`${head} -`, ...rest], request.entries);
  }

  async resume(room: string, from?: Position): Promise<OlderReply> {
    const { meta, documents, log } = this.keys.room(room);
    const args = [`older${this.nonces++}`, from?.epoch ?? '', from?.seq ?? 0, from ? 0 : 1_000, 1_000, 1];
    const reply = await SCRIPTS.resume.run(this.links.commands, [meta, documents, log, meta], args);
    const entriesAt = 9 + 2 * Number(reply[8]);
    const found = reply.slice(9, entriesAt).map(String);
    const last = reply.slice(entriesAt).filter((_, i) => i % 2 === 0);
    return {
      mode: String(reply[0]),
      position: { epoch: String(reply[1]), seq: Number(reply[2]) },
      documents: new Map(found.flatMap((name, i) => (i % 2 === 0 ? [[name, found[i + 1]!] as const] : []))),
      last: last.map((id) => Number(String(id).split('-')[1])),
    };
  }

  /** As it keeps rooms with members: by its own clock. */
  async keep(room: string, idleTtlMs: number): Promise<void> {
    const { meta, documents, counters } = this.keys.room(room);
    for (const key of [meta, documents, counters])
      await this.links.commands.pexpireat(key, Date.now() + idleTtlMs);
  }
}

/** It gave its own lanes no end. */
function asOlder(entry: CommitEntry): CommitEntry {
  return entry.lane.ofNode ? { ...entry, lane: { ...entry.lane, endsAt: 0 } } : entry;
}
