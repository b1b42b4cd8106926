import {
  type CommandRecorder,
  rateLimited,
  type RateLimits,
  type RecordedAnswer,
  type UserCharge,
  type UserLimit,
  type UserRates,
} from '@wss/core';
import { notInTime, type RoutedCommand } from './routed-command.js';

/** The ways in which the handler of an event with limits was seen to end. */
interface Habits {
  /** It made a commit. */
  commits: boolean;
  /** It succeeded without one. */
  silent: boolean;
}

/**
 * Charges commands to the limits of their events before their handlers run; only a handler that always makes a commit
 * leaves that to its commit, which then costs nothing.
 */
export class Charges {
  /** No more than there are events with limits. */
  private readonly habits = new Map<string, Habits>();

  constructor(
    private readonly recorder: CommandRecorder,
    private readonly rates: UserRates,
  ) {}

  /**
   * Charges a command, unless its commit does or it has its answer already; that is then noted as its effect.
   * @returns true if its handler has to run; a promise only if something has to be asked first
   * @throws GatewayError `rate_limited`, then nothing is charged; what refuses a number; `unavailable` when the engine
   *   is out of reach; or a rejection with the same
   */
  admit(command: RoutedCommand, limits: RateLimits): boolean | Promise<boolean> {
    const byCommit = this.isPaidByCommit(command);
    command.charges = limits.chargesOf(command.user);
    const waitMs = command.charges ? this.recorder.waitOf(command) : 0;
    const isJudgedHere = limits.countClients || limits.overRooms.length > 0;
    if (command.number && (!byCommit || isJudgedHere || waitMs > 0)) {
      return this.admitNew(command, limits, waitMs);
    }
    return this.chargeHere(command, limits, waitMs);
  }

  /** Admits a command with a number; one that has its answer already is not charged. */
  private async admitNew(command: RoutedCommand, limits: RateLimits, waitMs: number): Promise<boolean> {
    await this.recorder.find(command);
    const { commits, silent } = this.habitsOf(command);
    if (command.effect) return commits || !silent;
    return this.chargeHere(command, limits, waitMs);
  }

  private chargeHere(command: RoutedCommand, limits: RateLimits, waitMs: number): true | Promise<true> {
    if (waitMs > 0) throw rateLimited(Math.ceil(waitMs));
    if (limits.countClients) {
      limits.chargeClient(() => (command.client.rates ??= new Map()), performance.now());
      command.paid = true;
    }
    const chargesRoom = command.charges !== undefined && !this.isPaidByCommit(command);
    const asked = limits.overRooms.length > 0 ? this.chargeUser(command, limits) : undefined;
    return asked || chargesRoom ? this.chargeLater(command, limits, { asked, chargesRoom }) : true;
  }

  /** Charges what the engine is asked for: the user's limits over all rooms, those of the room unless the commit does. */
  private async chargeLater(
    command: RoutedCommand,
    limits: RateLimits,
    { asked, chargesRoom }: { readonly asked: Promise<void> | undefined; readonly chargesRoom: boolean },
  ): Promise<true> {
    try {
      if (asked) await asked;
      if (chargesRoom) {
        await this.recorder.charge(command);
        command.charges = undefined;
      }
      return true;
    } catch (error) {
      this.refund(command, limits);
      throw error;
    }
  }

  /** Charges the limits of the user over all rooms; at once while the node has parts of all of them at hand. */
  private chargeUser(command: RoutedCommand, limits: RateLimits): Promise<void> | undefined {
    const { overRooms } = limits;
    const charges: UserCharge[] = [];
    command.userCharges = charges;
    try {
      for (let i = 0; i < overRooms.length; i++) {
        const charge = this.rates.take(overRooms[i]!, command.user, command.deadline);
        if (charge instanceof Promise)
          return this.chargeRest(command, charges, [charge, ...overRooms.slice(i + 1)]);
        charges.push(charge);
      }
      return undefined;
    } catch (error) {
      this.refund(command, limits);
      throw error;
    }
  }

  private async chargeRest(
    command: RoutedCommand,
    charges: UserCharge[],
    [asked, ...rest]: [Promise<UserCharge>, ...UserLimit[]],
  ): Promise<void> {
    charges.push(await asked);
    for (const limit of rest) charges.push(await this.rates.take(limit, command.user, command.deadline));
    // It has been answered meanwhile.
    if (performance.now() >= command.deadline) throw notInTime();
  }

  /** True if the handlers of its event have made commits only, which are charged with the limits of their room. */
  private isPaidByCommit(command: RoutedCommand): boolean {
    const { commits, silent } = this.habitsOf(command);
    return commits && !silent;
  }

  /** Learns from a command that its handler has ended. */
  ended(command: RoutedCommand, limits: RateLimits, answer: RecordedAnswer): void {
    if (command.claimed) this.habitsOf(command).commits = true;
    else if ('data' in answer && !command.effect) this.habitsOf(command).silent = true;
    const isRefused = 'error' in answer && answer.error.code === 'rate_limited' && !command.effect;
    if ((isRefused && command.charges) || command.effect?.duplicate) this.refund(command, limits);
  }

  private refund(command: RoutedCommand, limits: RateLimits): void {
    if (command.paid) limits.refundClient(command.client.rates);
    command.paid = false;
    for (const charge of command.userCharges) charge.refund();
    command.userCharges = [];
  }

  private habitsOf({ event }: RoutedCommand): Habits {
    let habits = this.habits.get(event);
    if (!habits) this.habits.set(event, (habits = { commits: false, silent: false }));
    return habits;
  }
}
