import type { FinalRoom, History, Operation, Rollback } from './history.js';
import { isFromRollback } from './witness-check.js';

/** Steps after which the search gives up: beyond this it would not end in a useful time. */
const MOST_STEPS = 20_000_000;

/** Result of the search. */
export type Linearizability = 'linearizable' | 'not linearizable' | 'undecided';

/** A call of the counter as an outsider sees it: when, what, and what came back. */
export interface CounterCall {
  readonly called: number;
  /** Infinity when no answer came: it may have taken effect at any time since, or never. */
  readonly returned: number;
  /** The amount added; absent for a read. */
  readonly by?: number;
  /** The value that was answered. */
  readonly value?: number;
}

/**
 * Checks each room's counter without looking at positions, logs or epochs.
 *
 * @returns what is wrong, in words; empty when every room is linearizable
 */
export function checkLinearizability(history: History): string[] {
  const rooms = history.items.filter((item): item is FinalRoom => item.type === 'room');
  return rooms.flatMap(({ room }) => {
    const verdict = linearizability(callsOf(history, room));
    return verdict === 'linearizable' ? [] : [`${room}: the counter is ${verdict}`];
  });
}

/** Calls that took effect and were not declared lost; reads that may come from a cut history are left out. */
function callsOf(history: History, room: string): CounterCall[] {
  const rollbacks = history.items.filter(
    (item): item is Rollback => item.type === 'rollback' && item.room === room,
  );
  const counts = (o: Operation): boolean => {
    if (o.room !== room || o.lost !== undefined || o.error !== undefined) return false;
    if (o.kind === 'add') return true;
    return o.value !== undefined && !isFromRollback(rollbacks, o.called, o.version!);
  };
  return history.operations.filter(counts).map(({ called, returned = Infinity, by, value }) => ({
    called,
    returned,
    ...(by !== undefined && { by }),
    ...(value !== undefined && { value }),
  }));
}

/**
 * Searches an order of the calls that explains every answer and respects real time, after Wing and Gong with Lowe's
 * memory of what was tried: the same set of calls in the same state is never tried again.
 */
export function linearizability(calls: readonly CounterCall[]): Linearizability {
  return new Search(calls).run();
}

/** A beginning or an end of a call, in the list of what is not yet ordered. */
interface Entry {
  readonly call: number;
  readonly isEnd: boolean;
  previous?: Entry;
  next?: Entry;
}

interface Choice {
  readonly entry: Entry;
  readonly value: number;
  /** It changed nothing, so taking it back could not help. */
  readonly pure: boolean;
}

class Search {
  private readonly head: Entry = { call: -1, isEnd: false };
  private readonly ends: Entry[] = [];
  private readonly tried = new Set<string>();
  private readonly chosen: Choice[] = [];
  private readonly marks: [number, number][];
  private hash: [number, number] = [0, 0];
  private value = 0;
  /** Answered calls that have no place yet. */
  private open: number;

  constructor(private readonly calls: readonly CounterCall[]) {
    this.open = calls.filter(({ returned }) => returned !== Infinity).length;
    this.marks = randomPairs(calls.length);
    const entries = calls.flatMap((_, call): Entry[] => [
      { call, isEnd: false },
      { call, isEnd: true },
    ]);
    // Of what happens at once the beginnings come first: such calls overlap.
    entries.sort((a, b) => this.timeOf(a) - this.timeOf(b) || Number(a.isEnd) - Number(b.isEnd));
    let last = this.head;
    for (const entry of entries) {
      entry.previous = last;
      last.next = entry;
      last = entry;
      if (entry.isEnd) this.ends[entry.call] = entry;
    }
  }

  run(): Linearizability {
    let entry = this.head.next;
    for (let step = 0; this.open > 0; step++) {
      if (step > MOST_STEPS) return 'undecided';
      if (entry && !entry.isEnd) {
        entry = this.choose(entry) ? this.head.next : entry.next;
      } else if (entry && this.calls[entry.call]!.returned === Infinity) {
        entry = entry.next;
      } else {
        // A call ended that has no place before its end: one of the choices was wrong.
        const taken = this.takeBack();
        if (!taken) return 'not linearizable';
        entry = taken.next;
      }
    }
    return 'linearizable';
  }

  private timeOf({ call, isEnd }: Entry): number {
    return isEnd ? this.calls[call]!.returned : this.calls[call]!.called;
  }

  private choose(entry: Entry): boolean {
    const { by = 0, value, returned } = this.calls[entry.call]!;
    const after = this.value + by;
    if (value !== undefined && value !== after) return false;
    const [a, b] = this.marks[entry.call]!;
    const hash: [number, number] = [this.hash[0] ^ a, this.hash[1] ^ b];
    const key = `${hash[0]}:${hash[1]}:${after}`;
    if (this.tried.has(key)) return false;
    this.tried.add(key);
    this.chosen.push({ entry, value: this.value, pure: by === 0 });
    this.value = after;
    this.hash = hash;
    if (returned !== Infinity) this.open--;
    unlink(entry);
    unlink(this.ends[entry.call]!);
    return true;
  }

  private takeBack(): Entry | undefined {
    for (let choice = this.chosen.pop(); choice; choice = this.chosen.pop()) {
      const { entry, value, pure } = choice;
      const [a, b] = this.marks[entry.call]!;
      this.value = value;
      this.hash = [this.hash[0] ^ a, this.hash[1] ^ b];
      if (this.calls[entry.call]!.returned !== Infinity) this.open++;
      relink(this.ends[entry.call]!);
      relink(entry);
      if (!pure) return entry;
    }
    return undefined;
  }
}

function unlink(entry: Entry): void {
  entry.previous!.next = entry.next;
  if (entry.next) entry.next.previous = entry.previous;
}

function relink(entry: Entry): void {
  entry.previous!.next = entry;
  if (entry.next) entry.next.previous = entry;
}

/** A set of calls is known by the combination of its members' marks (Zobrist); a clash could only accuse, never acquit. */
function randomPairs(count: number): [number, number][] {
  let seed = 88_172_645;
  const next = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed;
  };
  return Array.from({ length: count }, () => [next(), next()]);
}
