/** A limit of what a user may do in all rooms, on all nodes together. */
export interface UserLimit {
  /** Name of the limit, unique in the cluster. */
  readonly name: string;
  /** Most commands in any window, an integer. */
  readonly limit: number;
  /** Length of the window, ms. */
  readonly windowMs: number;
}

/** A command's charge to a limit of its user. */
export interface UserCharge {
  /** Takes the charge back, if that is still possible: the command had its answer already. */
  refund(): void;
}

/** Charges commands to the limits of their users, which count over all rooms and nodes. */
export abstract class UserRates {
  /**
   * Charges one command; at once while the node has a part of the limit at hand.
   * @param deadline when the charge is of no use any more, ms on this process' steady clock
   * @throws GatewayError `rate_limited` with the wait, then nothing is charged; `unavailable` when the engine is out of
   *   reach, or a rejection with the same
   */
  abstract take(limit: UserLimit, user: string, deadline: number): UserCharge | Promise<UserCharge>;
}
