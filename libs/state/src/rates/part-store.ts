/** Most instants that are kept of a limit; of more, those that are near each other become one. */
export const MOST_INSTANTS = 64;
/** Parts of a window in which instants may become one: they count for so much longer at most. */
export const SLICES = 32;
/** Longest time for which a part may be used, ms. */
const MOST_PART_MS = 60_000;
/** When what was not used of a part has come back after its end at the latest, if its node lives, µs. */
export const RETURN_US = 2_000_000;

/** How long a part of more than one command may be used, µs: a tenth of the window, at most a minute. */
export function partLifeUs(windowMs: number): number {
  return Math.min(windowMs * 100, MOST_PART_MS * 1_000);
}

/** A part of a user's limit that one node may use without asking. */
export interface LimitPart {
  /** The instant that it counts for: nothing of it is used later, µs since 1970 by the engine's clock. */
  readonly at: number;
  /** Its commands. */
  readonly count: number;
}

/** A request for a part of a limit. */
export interface PartRequest {
  readonly user: string;
  /** Name of the limit. */
  readonly name: string;
  /** Most commands in any window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Commands wanted; 0: it only says what became of the part before. */
  readonly wanted: number;
  /** The part that the node had before, and how many of its commands were carried out: it is over. */
  readonly before?: LimitPart & { readonly used: number };
}

/** The engine's answer: a part, or the time until there may be one, µs. */
export type PartReply = LimitPart | { readonly waitUs: number };

/**
 * Gives nodes parts of users' limits, so that most commands need no call.
 *
 * A limit is kept as the commands that were given away, each with the last instant at which it may be carried out. Those
 * within the last window, or still to come, are never more than the limit.
 */
export abstract class PartStore {
  /**
   * Gives one command, or a part: as many as are wanted, at most a tenth of what is left. The first is carried out now,
   * the others within {@link partLifeUs} from the moment at which the node asked. The time until there may be one is no
   * longer than until the first of the parts that are at hand somewhere is over: what is left of it comes back.
   * @throws StoreError
   */
  abstract take(request: PartRequest): Promise<PartReply>;
}
