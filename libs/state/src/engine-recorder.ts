import { type Command, CommandRecorder, GatewayError, type RecordedAnswer } from '@wss/core';
import type { Committer } from './commits/committer.js';
import type { Outcome } from './store/room-store.js';
import { chargeWork, recordable, recordWork } from './commits/works.js';

/**
 * Records numbered commands that made no commit in the engine: nothing is answered before the engine has judged the
 * number (R1).
 */
export class EngineRecorder extends CommandRecorder {
  constructor(private readonly committer: Committer) {
    super();
  }

  /**
   * Records an answer in the command's place.
   * @throws GatewayError when the engine refuses the number or can't be reached.
   */
  async record(command: Command, answer: RecordedAnswer): Promise<void> {
    await this.committer.perform(recordWork(command, outcomeOf(command, answer)));
  }

  async skip(command: Command): Promise<void> {
    await this.committer.perform(recordWork(command, { kind: 'skipped' }));
  }

  async charge(command: Command): Promise<void> {
    await this.committer.perform(chargeWork(command));
  }

  find(command: Command): Promise<void> {
    return this.committer.find(command);
  }

  waitOf(command: Command): number {
    return this.committer.waitOf(command);
  }

  noteMissing(command: Command): void {
    this.committer.noteMissing(command);
  }
}

function outcomeOf(command: Command, answer: RecordedAnswer): Outcome {
  if ('error' in answer) return { kind: 'error', json: JSON.stringify(answer.error.toBody()) };
  try {
    return {
      kind: 'result',
      json: recordable(JSON.stringify(answer.data) ?? 'null', command.number !== undefined),
    };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { kind: 'error', json: JSON.stringify(error.toBody()) };
  }
}
