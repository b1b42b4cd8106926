import { MemoryTable } from '@wss/state';
import { encodePresence } from '../rooms/room-message.js';
import { indexOfUser } from './presence-order.js';
import type { PresenceEnter } from './presence-store.js';

// As in the Lua scripts.
const MOST_USERS = 500;
const MOST_BYTES = 65_536;
const LONGEST_GRACE_MS = 60_000;
const LOST_VERSIONS = 1_000;
const PAUSE_PER_THOUSAND_MS = 200;
const MOST_TOLD = 16;

/** The users in one room, as the Lua scripts keep it in Redis. */
export interface MemoryPresence {
  version: number;
  /** Ms since 1970. */
  announcedAt: number;
  /** History at the last announcement. */
  replicationId: string;
  /** Users who are here, in the order of their UTF-8 bytes. */
  users: string[];
  /** User → number of clients. */
  readonly clients: Map<string, number>;
  /** User → JSON. */
  readonly metas: Map<string, string>;
  /** User → meta of its clients, the newest last. */
  readonly told: Map<string, { readonly owner: string; readonly client: string; readonly meta: string }[]>;
  /** Users whose arrival is to be announced → when they came, ms since 1970. */
  readonly coming: Map<string, number>;
  /** Users whose departure is to be announced → from when on. */
  readonly going: Map<string, number>;
  /** Owner → client → user. */
  readonly entries: Map<string, Map<string, string>>;
  /** Owners that may not write → until when this is remembered. */
  readonly dead: Map<string, number>;
}

/** Room → its users. */
export class PresenceTable extends MemoryTable<MemoryPresence> {
  readonly name = 'presence';
  override readonly isReplicated = true;
  /**
   * Highest version of all announcements; a failover does not take it back, just as it does not take back Redis'
   * clock.
   */
  highestVersion = 0;
}

/** Owner of presence entries → rooms in which it may have some. */
export class PresenceRoomTable extends MemoryTable<Set<string>> {
  readonly name = 'presence.rooms';
  override readonly isReplicated = true;
}

/** Owner of presence entries → the node that cleans up behind it, and until when. */
export class PresenceClaimTable extends MemoryTable<{ readonly by: string; readonly until: number }> {
  readonly name = 'presence.claims';
}

/** The time and the settings of an announcement. */
export interface AnnouncementMoment {
  /** Ms since 1970. */
  readonly now: number;
  readonly replicationId: string;
  readonly pauseMs: number;
  /** As in `PresenceUpdate`. */
  readonly heardForMs?: number;
  /** A version beyond all that clients can have seen, for a room whose last version is not certain. */
  readonly freshVersion: number;
}

export function emptyPresence(): MemoryPresence {
  return {
    version: 0,
    announcedAt: 0,
    replicationId: '',
    users: [],
    clients: new Map(),
    metas: new Map(),
    told: new Map(),
    coming: new Map(),
    going: new Map(),
    entries: new Map(),
    dead: new Map(),
  };
}

export function leave(
  presence: MemoryPresence,
  { owner, client }: Omit<Teller, 'user'>,
  { now, goneAt }: { readonly now: number; readonly goneAt: number },
): void {
  const entries = presence.entries.get(owner);
  const user = entries?.get(client);
  if (!entries || user === undefined) return;
  entries.delete(client);
  if (entries.size === 0) presence.entries.delete(owner);
  const left = presence.clients.get(user)! - 1;
  if (left > 0) {
    presence.clients.set(user, left);
    forgetTold(presence, { owner, client, user }, now);
  } else {
    // During the grace period others see the same meta.
    presence.told.delete(user);
    presence.clients.delete(user);
    presence.going.set(user, goneAt);
  }
}

/** Those who are still in their grace period leave now. @param user '': all */
export function endGrace({ going }: MemoryPresence, user: string, now: number): void {
  for (const [one, at] of going) if (at > now && (user === '' || user === one)) going.set(one, now);
}

export function enter(
  presence: MemoryPresence,
  owner: string,
  { client, user, meta }: PresenceEnter,
  now: number,
): void {
  const before = presence.entries.get(owner)?.get(client);
  if (before === user) return tell(presence, { owner, client, user, meta }, now);
  if (before !== undefined) leave(presence, { owner, client }, { now, goneAt: now });
  const entries = presence.entries.get(owner) ?? new Map<string, string>();
  presence.entries.set(owner, entries.set(client, user));
  const clients = (presence.clients.get(user) ?? 0) + 1;
  presence.clients.set(user, clients);
  if (clients === 1 && !presence.going.delete(user)) {
    presence.users.splice(indexOfUser(presence.users, user), 0, user);
    presence.coming.set(user, now);
  }
  tell(presence, { owner, client, user, meta }, now);
}

type ToldMetas = NonNullable<ReturnType<MemoryPresence['told']['get']>>;

interface Teller {
  readonly owner: string;
  readonly client: string;
  readonly user: string;
}

/** A client that gave the same meta before keeps its place, also under another owner of its node. */
function tell(
  presence: MemoryPresence,
  { owner, client, user, meta }: Teller & { readonly meta?: string | undefined },
  now: number,
): void {
  if (meta === undefined) return;
  const told = [...(presence.told.get(user) ?? [])];
  if (told.some((entry) => entry.owner === owner && entry.client === client && entry.meta === meta)) return;
  const others = told.filter((entry) => entry.owner !== owner || entry.client !== client);
  const place = others.findLastIndex((entry) => entry.client === client && entry.meta === meta) + 1;
  others.splice(place || others.length, 0, { owner, client, meta });
  show(presence, { user, told: others.slice(-MOST_TOLD), now });
}

function forgetTold(presence: MemoryPresence, { owner, client, user }: Teller, now: number): void {
  const told = presence.told.get(user) ?? [];
  const left = told.filter((entry) => entry.owner !== owner || entry.client !== client);
  if (left.length < told.length) show(presence, { user, told: left, now });
}

/** Shows others the meta of the newest client; a change is announced. */
function show(
  presence: MemoryPresence,
  { user, told, now }: { readonly user: string; readonly told: ToldMetas; readonly now: number },
): void {
  if (told.length > 0) presence.told.set(user, told);
  else presence.told.delete(user);
  const newest = told.at(-1)?.meta;
  if (presence.metas.get(user) === newest) return;
  if (newest === undefined) presence.metas.delete(user);
  else presence.metas.set(user, newest);
  if (!presence.coming.has(user)) presence.coming.set(user, now);
}

/** Time until the next announcement, ms; undefined if none is due. */
export function dueIn(
  presence: MemoryPresence,
  { now, pauseMs, heardForMs }: Pick<AnnouncementMoment, 'now' | 'pauseMs' | 'heardForMs'>,
): number | undefined {
  const { coming, going, users, announcedAt, version } = presence;
  const missed = heardForMs !== undefined && version > 0 && announcedAt < now - heardForMs;
  if (!missed && coming.size === 0 && going.size === 0) return undefined;
  const first = missed || coming.size > 0 ? now : least(going.values());
  const longer = Math.floor(users.length / 1_000) * PAUSE_PER_THOUSAND_MS;
  return Math.max(0, Math.max(first, Math.min(announcedAt, now) + Math.max(pauseMs, longer)) - now);
}

function least(numbers: Iterable<number>): number {
  let result = Infinity;
  for (const number of numbers) if (number < result) result = number;
  return result;
}

/** Takes the changes to announce now; undefined if none are due, or the pause is not over. */
export function announce(presence: MemoryPresence, moment: AnnouncementMoment): string | undefined {
  const { now, replicationId, freshVersion } = moment;
  for (const [user, at] of presence.going) {
    // Written before the clock was set back.
    if (at >= now + LONGEST_GRACE_MS) presence.going.set(user, now);
  }
  if (dueIn(presence, moment) !== 0) return undefined;
  const joined = takeJoined(presence);
  const left = takeLeft(presence, now);
  const { version } = presence;
  const goesOn = presence.replicationId === replicationId;
  presence.version = goesOn ? version + 1 : Math.max(version + LOST_VERSIONS, freshVersion);
  presence.announcedAt = now;
  presence.replicationId = replicationId;
  return encodePresence(
    `{"version":${presence.version},"joined":[${joined.join(',')}],"left":[${left.join(',')}]}`,
  );
}

function takeJoined({ coming, metas }: MemoryPresence): string[] {
  const joined: string[] = [];
  let bytes = 0;
  for (const user of inOrder(coming).slice(0, MOST_USERS)) {
    if (bytes > MOST_BYTES) break;
    const meta = metas.get(user);
    const json = `{"user":${JSON.stringify(user)}${meta === undefined ? '' : `,"meta":${meta}`}}`;
    joined.push(json);
    bytes += Buffer.byteLength(json);
    coming.delete(user);
  }
  return joined;
}

function takeLeft(presence: MemoryPresence, now: number): string[] {
  const { going, coming, users, metas } = presence;
  const due = inOrder(going).filter((user) => going.get(user)! <= now);
  // A user's departure is not announced before the arrival.
  const left = due.slice(0, MOST_USERS).filter((user) => !coming.has(user));
  for (const user of left) {
    going.delete(user);
    metas.delete(user);
    presence.told.delete(user);
    users.splice(indexOfUser(users, user), 1);
  }
  return left.map((user) => JSON.stringify(user));
}

/** By time, and within a moment by name. */
function inOrder(times: ReadonlyMap<string, number>): string[] {
  return [...times]
    .sort(([a, at], [b, bt]) => at - bt || Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([user]) => user);
}
