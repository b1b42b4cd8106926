import {
  type CommitReply,
  type CommitRequest,
  type HistoryReply,
  type HistoryRequest,
  type ResumeReply,
  type ResumeRequest,
  type RoomFindings,
  RoomStore,
  type RoomTop,
} from '@wss/state';
import type { CommitOutcome, EngineObserver } from './engine-observer.js';

/** A store that tells an observer of its commits and of the repairs of gaps. */
export class ObservedRoomStore extends RoomStore {
  constructor(
    private readonly store: RoomStore,
    private readonly observer: EngineObserver,
  ) {
    super();
  }

  async commit(request: CommitRequest): Promise<CommitReply> {
    const startedAt = performance.now();
    let outcome: CommitOutcome = 'failed';
    try {
      const reply = this.noteLoss(await this.store.commit(request));
      outcome = outcomeOf(reply);
      return reply;
    } finally {
      this.observer.batchEnded(outcome, request.entries.length, (performance.now() - startedAt) / 1_000);
    }
  }

  /** A call with a position repairs a gap. */
  async resume(request: ResumeRequest): Promise<ResumeReply> {
    if (!request.from) return this.noteLoss(await this.store.resume(request));
    try {
      const reply = this.noteLoss(await this.store.resume(request));
      this.observer.gapRead(
        'ok',
        reply.entries.reduce((sum, { events }) => sum + events.length, 0),
      );
      return reply;
    } catch (error) {
      this.observer.gapRead('failed', 0);
      throw error;
    }
  }

  async history(request: HistoryRequest): Promise<HistoryReply> {
    return this.noteLoss(await this.store.history(request));
  }

  tops(rooms: readonly string[]): Promise<RoomTop[]> {
    return this.store.tops(rooms);
  }

  numbers(room: string, lanes: readonly string[]): Promise<(number | undefined)[]> {
    return this.store.numbers(room, lanes);
  }

  time(room: string): Promise<number> {
    return this.store.time(room);
  }

  durable(room: string, replicationId: string, withinMs: number): Promise<boolean> {
    return this.store.durable(room, replicationId, withinMs);
  }

  callChannel(room: string, nodeId: string): string {
    return this.store.callChannel(room, nodeId);
  }

  leaveQueue(room: string, nodeId: string): Promise<void> {
    return this.store.leaveQueue(room, nodeId);
  }

  keep(room: string, idleTtlMs: number): Promise<void> {
    return this.store.keep(room, idleTtlMs);
  }

  private noteLoss<Reply extends RoomFindings>(reply: Reply): Reply {
    for (const part of reply.lostParts ?? []) this.observer.partLost(part);
    return reply;
  }
}

function outcomeOf(reply: CommitReply): CommitOutcome {
  if (reply.status === 'committed') return 'committed';
  return reply.conflict ? 'conflict' : 'judged';
}
