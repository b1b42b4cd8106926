import type { Type } from '@nestjs/common';
import { Command, GatewayError, isThenable, type RoomEvents } from '@wss/core';
import type { Ending } from '@wss/protocol';
import type { DocumentType } from '../documents/document-type.js';
import { type BatchView, DocumentDrafts } from '../documents/document-drafts.js';
import { CollectedDraft, encodeLogEvent, type RoomDraft } from '../documents/room-draft.js';
import { CHANGED } from './commit-plan.js';
import { NOTHING } from './pending-work.js';
import type { CommitScope } from './committer.js';
import { onceKeyOf } from '../lanes/once-key.js';
import type { Outcome } from '../store/room-store.js';
import { isLargerThan } from '../store/text-size.js';
import { isRecorded, type Prepared, type Work } from './work.js';

/** Largest recorded reply of a numbered command, bytes of JSON (R9). */
const MAX_RECORDED_BYTES = 4_096;
/** How long a node's own work may wait for its commit, ms. */
const OWN_DEADLINE_MS = 10_000;

/** Changes a document; synchronous and pure, because it may run again. */
export type UpdateFunction<D extends object, R> = (document: D, room: RoomDraft) => R;

/** Options of a commit. */
export interface CommitOptions {
  /** True if the answer waits until the commit survives a failover (R19). Default: the setting of the room type. */
  readonly durable?: boolean;
  /**
   * True if work without a command may write a room that was deleted and not used since: its next life begins then.
   * Default false: such work is `not_found`, so that a job that comes late does not bring a deleted room back.
   */
  readonly create?: boolean;
}

/** The parts of an update. */
export interface Update<D extends object, R> {
  readonly type: DocumentType<D>;
  readonly run: UpdateFunction<D, R>;
  /** Events that the room's type declares; absent if every event is allowed. */
  readonly events?: RoomEvents | undefined;
  /**
   * Finds the further documents of the room.
   * @throws Error for a class that is none of them
   */
  find<O extends object>(type: Type<O>): DocumentType<O>;
}

/** Runs an update function on a document of the scope's room. */
export function updateWork<D extends object, R>(
  scope: CommitScope,
  update: Update<D, R>,
  options?: CommitOptions,
): Work {
  const identity = identify(scope, `update ${update.type.name}`);
  const recorded = isRecorded(identity);
  const prepare = (view: BatchView): Prepared => prepareUpdate(update, view, recorded);
  return { ...identity, durable: options?.durable, creates: options?.create, prepare };
}

function prepareUpdate<D extends object, R>(
  { type, run, events, find }: Update<D, R>,
  view: BatchView,
  recorded: boolean,
): Prepared {
  const documents = new DocumentDrafts(view);
  const draft = new CollectedDraft(events, (other) => documents.open(find(other)));
  const result = runOn(draft, () => run(documents.open(type), draft));
  if (isThenable(result)) {
    // Nobody waits for it, so a failure of its rest would end the process.
    Promise.resolve(result).catch(() => undefined);
    throw new Error(
      'an update function must be synchronous: it may run again, so it must not wait or have effects',
    );
  }
  const changes = documents.changes();
  return {
    events: draft.events,
    counters: draft.counters,
    outcome: { kind: 'result', json: recordable(draft.encode(result), recorded) },
    changes,
  };
}

/** Runs a function that fills a draft. */
function runOn<R>(draft: CollectedDraft, run: () => R): R {
  try {
    return run();
  } finally {
    draft.end();
  }
}

/** Appends one event; its result is `{seq}`. */
export function appendWork(
  scope: CommitScope,
  { event, data }: { readonly event: string; readonly data: unknown },
  options?: CommitOptions,
): Work {
  const encoded = encodeLogEvent(event, JSON.stringify(data) ?? 'null');
  const prepared: Prepared = { events: [encoded], changes: [], counters: [], outcome: { kind: 'position' } };
  const own = scope instanceof Command ? scope : { ...scope, body: data };
  const { durable, create: creates } = options ?? {};
  return { ...identify(own, `append ${event}`), durable, creates, prepare: () => prepared };
}

/** Ends memberships of a room, and the room if the ending says so; its result is `{seq}`. */
export function endingWork(room: string, ending: Ending, options?: CommitOptions): Work {
  const prepared: Prepared = {
    events: [CHANGED],
    changes: [],
    counters: [],
    outcome: { kind: 'position' },
    ending,
  };
  return { ...identify({ room }, 'end'), durable: options?.durable, ends: true, prepare: () => prepared };
}

/** Records the answer of a numbered command that made no commit (R1, R4, R10). */
export function recordWork(command: Command, outcome: Outcome): Work {
  const { room, deadline } = command;
  const prepared: Prepared = { events: [], changes: [], counters: [], outcome };
  return {
    room: room!,
    command,
    deadline: Math.max(deadline, performance.now() + 1_000),
    prepare: () => prepared,
  };
}

/** Charges a command to the limits of its room in the node's own lane, so that a lost answer charges it once. */
export function chargeWork(command: Command): Work {
  const { room, charges, deadline } = command;
  return { room: room!, charges, payer: command, deadline, prepare: () => NOTHING };
}

/**
 * Checks that a reply may be recorded.
 * @param recorded true if it is the reply of a numbered command or of a key
 * @throws GatewayError `too_large` over {@link MAX_RECORDED_BYTES} when it is recorded.
 */
export function recordable(json: string, recorded: boolean): string {
  if (recorded && isLargerThan(json, MAX_RECORDED_BYTES)) {
    throw new GatewayError(
      'too_large',
      `the reply of a numbered command, or under a key of "once", is larger than ${MAX_RECORDED_BYTES} bytes`,
    );
  }
  return json;
}

/** @param action names the work among those of its room */
function identify(scope: CommitScope, action: string): Omit<Work, 'prepare'> {
  if (!(scope instanceof Command)) {
    const deadline = performance.now() + OWN_DEADLINE_MS;
    return { room: scope.room, command: undefined, once: onceKeyOf(scope, action), deadline };
  }
  return { room: scope.claimCommit(), command: scope, deadline: scope.deadline };
}
