import { GatewayError, type RecordedAnswer } from '@wss/core';
import type { ErrorBody } from '@wss/protocol';
import type { WorkResult } from './work.js';

/**
 * Turns a work's outcome into the value that its caller gets.
 * @throws GatewayError the error that is the command's recorded answer.
 */
export function valueOf({ outcome, position, error }: WorkResult): unknown {
  switch (outcome.kind) {
    case 'result':
      return JSON.parse(outcome.json) as unknown;
    case 'position':
      return { seq: position.seq };
    case 'skipped':
      return null;
    case 'error': {
      if (error) throw error;
      const { code, message, details } = JSON.parse(outcome.json) as ErrorBody;
      throw new GatewayError(code, message, details ? { details } : {});
    }
  }
}

/** A work's outcome as an answer. */
export function answerOf(result: WorkResult): RecordedAnswer {
  try {
    return { data: valueOf(result) };
  } catch (error) {
    return { error: error as GatewayError };
  }
}
