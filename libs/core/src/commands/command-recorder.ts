import type { Command, RecordedAnswer } from './command.js';

/** Records numbered commands that made no commit of their own (R1); notes the engine's verdict on the command. */
export abstract class CommandRecorder {
  /** @throws GatewayError when the number is refused or the engine is out of reach. */
  abstract record(command: Command, answer: RecordedAnswer): Promise<void>;

  /** Gives the number up without an effect (R5). */
  abstract skip(command: Command): Promise<void>;

  /**
   * Finds the record of a numbered command, without its effect; if there is one, notes the verdict on the command.
   * @throws GatewayError when the number is refused or the engine is out of reach.
   */
  abstract find(command: Command): Promise<void>;

  /**
   * Charges a command to the limits of its room by itself, for it makes no commit that does.
   * @throws GatewayError `rate_limited`, `unavailable`; `out_of_order` behind a number that left no record
   */
  abstract charge(command: Command): Promise<void>;

  /** How long the command's charges are known to be refused, ms; 0 if that is not known. */
  abstract waitOf(command: Command): number;

  /** Notes that the command ended without a record: later numbers are out of order until its number comes again. */
  abstract noteMissing(command: Command): void;
}
