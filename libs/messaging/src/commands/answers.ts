import { Injectable } from '@nestjs/common';
import {
  CommandRecorder,
  GatewayError,
  type RateLimits,
  type RecordedAnswer,
  toGatewayError,
} from '@wss/core';
import { ERROR_CODES, type ReplyPosition } from '@wss/protocol';
import type { RoutedCommand } from './routed-command.js';

/** Answers commands; numbered ones only after the engine has recorded their number (R1). */
@Injectable()
export class Answers {
  /** Events with limits whose handlers make commits; no more than there are handlers. */
  private readonly committing = new Set<string>();

  constructor(private readonly recorder: CommandRecorder) {}

  /**
   * Charges a command to its limits before its handler runs, or leaves that to its commit or record. A command
   * without a number is charged now, unless commands of its event are known to make commits.
   * @throws GatewayError `rate_limited`; `unavailable` when the engine is out of reach
   */
  async admit(command: RoutedCommand, limits: RateLimits): Promise<void> {
    limits.chargeClient(() => (command.client.rates ??= new Map()), performance.now());
    command.charges = limits.chargesOf(command.user);
    command.limited = command.charges !== undefined;
    if (!command.charges || command.number || this.committing.has(command.event)) return;
    await this.recorder.charge(command);
    command.charges = undefined;
  }

  /** Answers with the handler's result or error. */
  async settle(command: RoutedCommand, answer: RecordedAnswer): Promise<void> {
    if (command.limited && command.claimed) this.committing.add(command.event);
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
    if (!command.charges || command.claimed || command.answered) return send(command, answer);
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
