import {
  type CommandRecorder,
  rateLimited,
  type RateLimits,
  type RecordedAnswer,
  type UserCharge,
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
   * @returns true if its handler has to run
   * @throws GatewayError `rate_limited`, then nothing is charged; what refuses a number; `unavailable` when the engine
   *   is out of reach
   */
  async admit(command: RoutedCommand, limits: RateLimits): Promise<boolean> {
    const { commits, silent } = this.habitsOf(command);
    const byCommit = commits && !silent;
    command.charges = limits.chargesOf(command.user);
    const waitMs = this.recorder.waitOf(command);
    const isJudgedHere = limits.countClients || limits.overRooms.length > 0;
    if (command.number && (!byCommit || isJudgedHere || waitMs > 0)) {
      await this.recorder.find(command);
      if (command.effect) return commits || !silent;
    }
    if (waitMs > 0) throw rateLimited(Math.ceil(waitMs));
    limits.chargeClient(() => (command.client.rates ??= new Map()), performance.now());
    command.paid = true;
    const chargesRoom = command.charges !== undefined && !byCommit;
    if (chargesRoom || limits.overRooms.length > 0) await this.chargeNow(command, limits, chargesRoom);
    return true;
  }

  /** Charges the limits of the user over all rooms, and those of the room unless its commit does. */
  private async chargeNow(command: RoutedCommand, limits: RateLimits, chargesRoom: boolean): Promise<void> {
    try {
      if (limits.overRooms.length > 0) await this.chargeUser(command, limits);
      if (!chargesRoom) return;
      await this.recorder.charge(command);
      command.charges = undefined;
    } catch (error) {
      this.refund(command, limits);
      throw error;
    }
  }

  private async chargeUser(command: RoutedCommand, { overRooms }: RateLimits): Promise<void> {
    const charges: UserCharge[] = [];
    command.userCharges = charges;
    for (const limit of overRooms) {
      const charge = this.rates.take(limit, command.user, command.deadline);
      charges.push(charge instanceof Promise ? await charge : charge);
    }
    // It has been answered meanwhile.
    if (performance.now() >= command.deadline) throw notInTime();
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
