import type { MemoryEngine } from '../memory/engine.memory.js';
import { MemoryTable } from '../memory/table.memory.js';
import {
  MOST_INSTANTS,
  type LimitPart,
  partLifeUs,
  type PartReply,
  type PartRequest,
  PartStore,
  RETURN_US,
  SLICES,
} from './part-store.js';

/** The commands of a limit that were given away, in the order of instants. */
interface Given {
  readonly parts: readonly LimitPart[];
  /** When none of it counts any more, µs since 1970. */
  readonly endsAt: number;
}

/** User and limit → what was given away. */
export class UserLimitTable extends MemoryTable<Given> {
  readonly name = 'user-limits';
  override readonly isReplicated = true;
}

/** Users' limits in this process; the twin of `rate_part.lua`. */
export class MemoryPartStore extends PartStore {
  private readonly table: UserLimitTable;

  constructor(private readonly engine: MemoryEngine) {
    super();
    this.table = engine.table(UserLimitTable);
  }

  take(request: PartRequest): Promise<PartReply> {
    return this.engine.call(() => this.judge(request, Math.floor(this.engine.now() * 1_000)));
  }

  private judge(request: PartRequest, now: number): PartReply {
    const { user, name, limit, wanted } = request;
    const key = JSON.stringify([user, name]);
    const windowUs = request.windowMs * 1_000;
    const latest = now + partLifeUs(request.windowMs);
    const parts = this.counting(key, latest, now - windowUs);
    // A part that does not count any more has nothing to give back.
    if (request.before && request.before.at > now - windowUs) settle(parts, request.before, now);
    const left = parts.reduce((rest, { count }) => rest - count, limit);
    let reply: PartReply;
    if (wanted === 0) {
      reply = { waitUs: 0 };
    } else if (left >= 1) {
      const count = Math.min(wanted, Math.max(1, Math.floor(left / 10)));
      reply = { at: count > 1 ? latest : now, count };
      parts.push(reply);
    } else {
      const ends = parts.filter(({ at, count }) => at > now && count > 0).map(({ at }) => at + RETURN_US);
      reply = { waitUs: Math.min(waitOf(parts, 1 - left) + windowUs, ...ends) - now };
    }
    this.keep(key, joined(parts, windowUs), windowUs);
    return reply;
  }

  /** The parts that count; after a step of the clock back nobody waits longer than for a window. */
  private counting(key: string, latest: number, since: number): LimitPart[] {
    const { parts } = this.table.rows.get(key) ?? { parts: [] };
    return parts.map(({ at, count }) => ({ at: Math.min(at, latest), count })).filter(({ at }) => at > since);
  }

  private keep(key: string, parts: readonly LimitPart[], windowUs: number): void {
    const { rows } = this.table;
    const last = parts.at(-1);
    if (!last) return void rows.delete(key);
    const now = this.engine.now() * 1_000;
    this.table.sweep(({ endsAt }) => endsAt <= now);
    rows.set(key, { parts, endsAt: last.at + windowUs });
  }
}

/** Takes what was not used of a part back, and counts the rest from now on at the latest. */
function settle(parts: LimitPart[], before: NonNullable<PartRequest['before']>, now: number): void {
  const found = parts.findIndex(({ at, count }) => at >= before.at && count >= before.count);
  if (found < 0) return;
  const { at, count } = parts[found]!;
  parts[found] = { at, count: count - before.count };
  parts.push({ at: Math.min(now, at), count: before.used });
}

/** The instant at which so many of the commands end to count. */
function waitOf(parts: readonly LimitPart[], wanted: number): number {
  let freed = 0;
  const sorted = parts.toSorted(byInstant);
  return sorted.find(({ count }) => (freed += count) >= wanted)!.at;
}

/** The parts in their order; those of one instant are one, and if there are too many, those that are near each other. */
function joined(parts: readonly LimitPart[], windowUs: number): LimitPart[] {
  const width = parts.length > MOST_INSTANTS ? Math.ceil(windowUs / SLICES) : 1;
  const kept: LimitPart[] = [];
  for (const part of parts.toSorted(byInstant)) {
    const last = kept.at(-1);
    const isNear = last && Math.floor(last.at / width) === Math.floor(part.at / width);
    if (isNear) kept[kept.length - 1] = { at: part.at, count: last.count + part.count };
    else kept.push(part);
  }
  return kept.filter(({ count }) => count > 0);
}

function byInstant(a: LimitPart, b: LimitPart): number {
  return a.at - b.at;
}
