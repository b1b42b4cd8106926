import type { Command, GatewayError, RateCharge } from '@wss/core';
import type { EncodedEvent, Ending } from '@wss/protocol';
import type { BatchView, DocumentChange } from '../documents/document-drafts.js';
import type { OnceKey } from '../lanes/once-key.js';
import type { CounterOperation, Outcome } from '../store/room-store.js';

/** Result of one run of a work. */
export interface Prepared {
  readonly events: readonly EncodedEvent[];
  readonly changes: readonly DocumentChange[];
  readonly counters: readonly CounterOperation[];
  /** The outcome that is recorded, and returned to a repetition. */
  readonly outcome: Outcome;
  /** Memberships that the step ends; then it has one event and nothing else. */
  readonly ending?: Ending;
}

/** One step on a room, of a command or of the node itself. */
export interface Work {
  readonly room: string;
  /** Absent for work that the node does by itself. */
  readonly command?: Command | undefined;
  /** The key under which it takes effect once; only for work without a command. */
  readonly once?: OnceKey | undefined;
  /** Limits of the room that it is charged to; default those of its command. */
  readonly charges?: readonly RateCharge[] | undefined;
  /** The command that it is charged for. */
  readonly payer?: Command | undefined;
  /** True if it only finds the record of its command or key. */
  readonly finds?: boolean | undefined;
  /** True if it ends memberships: works behind it are judged by that, so they come in a later batch (R38). */
  readonly ends?: boolean | undefined;
  /** True for work of a node that may open the next life of a deleted room (R38); a client's always may. */
  readonly creates?: boolean | undefined;
  /** Time after which no new attempt is made, ms on this process' steady clock. */
  readonly deadline: number;
  /** True if the answer waits until the step survives a failover (R19). */
  readonly durable?: boolean | undefined;
  /**
   * Computes the step on the batch's copy. It may run again, on newer data, so it must have no effects of its own. An
   * error that it throws is the step's outcome, without effects.
   */
  prepare(view: BatchView): Prepared;
}

/** True if its answer is recorded for its sender. */
export function isRecorded({ command, once }: Pick<Work, 'command' | 'once'>): boolean {
  return once !== undefined || command?.number !== undefined;
}

/** True if a work may open the next life of a deleted room, or writes nothing there but its record. */
export function opensLife({ command, payer, creates, ends }: Work): boolean {
  return command !== undefined || payer !== undefined || creates === true || ends === true;
}

/** Result of a work that did not fail. */
export interface WorkResult {
  /** The outcome that took effect, now or when the command was first applied. */
  readonly outcome: Outcome;
  readonly position: { readonly epoch: string; readonly seq: number };
  /** The command had been applied before. */
  readonly duplicate: boolean;
  /** True only for a repetition whose reply was acknowledged: the record is gone. */
  readonly forgotten?: boolean;
  /** If the outcome is an error of this run: the original, with its cause. */
  readonly error?: GatewayError | undefined;
  /** The history that Redis was on; absent if Redis was not asked. */
  readonly replicationId?: string;
}
