import { type Command, GatewayError, type RecordedAnswer } from '@wss/core';
import type { Committer } from './commits/committer.js';
import type { Outcome } from './store/room-store.js';
import { recordable, recordWork } from './commits/works.js';

/**
 * Has the engine judge numbered commands that made no commit: nothing is answered before it said whether the number
 * was used already (R1).
 */
export class CommandJudge {
  constructor(private readonly committer: Committer) {}

  /**
   * Records an answer in the command's place; notes what the engine said on the command.
   * @throws GatewayError when the engine refuses the number or can't be reached.
   */
  async record(command: Command, answer: RecordedAnswer): Promise<void> {
    await this.committer.perform(recordWork(command, outcomeOf(command, answer)));
  }

  /** Gives the command's number up without an effect (R5). */
  async skip(command: Command): Promise<void> {
    await this.committer.perform(recordWork(command, { kind: 'skipped' }));
  }

  /** Tells that a numbered command ended without a record. */
  noteMissing(command: Command): void {
    this.committer.noteMissing(command);
  }
}

function outcomeOf(command: Command, answer: RecordedAnswer): Outcome {
  if ('error' in answer) return { kind: 'error', json: JSON.stringify(answer.error.toBody()) };
  try {
    return { kind: 'result', json: recordable(JSON.stringify(answer.data) ?? 'null', command) };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { kind: 'error', json: JSON.stringify(error.toBody()) };
  }
}
