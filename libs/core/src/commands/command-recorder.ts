import type { Command, RecordedAnswer } from './command.js';

/** Records numbered commands that made no commit of their own (R1); notes the engine's verdict on the command. */
export abstract class CommandRecorder {
  /** @throws GatewayError when the number is refused or the engine is out of reach. */
  abstract record(command: Command, answer: RecordedAnswer): Promise<void>;

  /** Gives the number up without an effect (R5). */
  abstract skip(command: Command): Promise<void>;

  /**
   * Charges a command without a number to the limits of its room, for it makes no commit that does.
   * @throws GatewayError `rate_limited`, `unavailable`
   */
  abstract charge(command: Command): Promise<void>;

  /** Notes that the command ended without a record: later numbers are out of order until its number comes again. */
  abstract noteMissing(command: Command): void;
}
