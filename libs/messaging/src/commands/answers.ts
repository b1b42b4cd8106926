import { Injectable } from '@nestjs/common';
import { CommandRecorder, GatewayError, type RecordedAnswer, toGatewayError, UserRates } from '@wss/core';
import { ERROR_CODES, type ReplyPosition } from '@wss/protocol';
import { Charges } from './charges.js';
import type { RoutedCommand } from './routed-command.js';

/** Answers commands; numbered ones only after the engine has recorded their number (R1). */
@Injectable()
export class Answers {
  readonly charges: Charges;

  constructor(
    private readonly recorder: CommandRecorder,
    rates: UserRates,
  ) {
    this.charges = new Charges(recorder, rates);
  }

  /** Answers a command without a number of which nothing is left to be charged. */
  answer(command: RoutedCommand, answer: RecordedAnswer): void {
    send(command, answer);
  }

  /** Answers with the handler's result or error. */
  async settle(command: RoutedCommand, answer: RecordedAnswer): Promise<void> {
    if (!command.number || command.answered) return this.settleUnnumbered(command, answer);
    if (!command.effect && mayRecord(answer)) {
      try {
        await this.recorder.record(command, answer);
      } catch (error) {
        return this.refuse(command, toGatewayError(error));
      }
    }
    if (!command.effect) return this.refuse(command, (answer as { error: GatewayError }).error);
    const recorded = command.effect.answer();
    // A success is computed from the commit's result and is answered as it is; in all other cases the record is the
    // answer.
    const own = 'data' in answer && 'data' in recorded && !isRecordOnlyRepeat(command);
    send(command, own ? answer : recorded, positionOf(command));
  }

  private async settleUnnumbered(command: RoutedCommand, answer: RecordedAnswer): Promise<void> {
    if (!command.owesCharges) return send(command, answer);
    try {
      await this.recorder.charge(command);
    } catch (error) {
      return command.fail(toGatewayError(error));
    }
    send(command, answer);
  }

  /** Answers with an error that leaves no record: the number stays open. */
  refuse(command: RoutedCommand, error: GatewayError): void {
    if (command.number) this.recorder.noteMissing(command);
    command.fail(error);
  }

  /** Records the command's number without an effect. */
  async skip(command: RoutedCommand): Promise<void> {
    await this.recorder.skip(command);
  }
}

/** True for a repeat whose handler made no commit: its present result is not the answer of the first time. */
function isRecordOnlyRepeat(command: RoutedCommand): boolean {
  return command.effect!.duplicate && !command.claimed;
}

function mayRecord(answer: RecordedAnswer): boolean {
  if ('data' in answer) return true;
  return ERROR_CODES[answer.error.code].consumesN && !answer.error.unrecorded;
}

function send(command: RoutedCommand, answer: RecordedAnswer, position?: ReplyPosition): void {
  if ('error' in answer) command.fail(answer.error, position);
  else command.answer(answer.data, position);
}

function positionOf({ effect }: RoutedCommand): ReplyPosition {
  const { position, duplicate } = effect!;
  return { seq: position.seq, epoch: position.epoch, ...(duplicate && { dup: true }) };
}
