/** One command's charge to a rate limit of its room, by the generic cell rate algorithm. */
export interface RateCharge {
  /** Name of the limit, unique in the room; with the user where each user has a limit of its own. */
  readonly name: string;
  /** Time in which one command is worked off, µs, an integer. */
  readonly stepUs: number;
  /** How far ahead commands may be: that of as many as may come at once, µs. */
  readonly burstUs: number;
}
