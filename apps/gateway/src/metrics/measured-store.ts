import {
  type CommitReply,
  type CommitRequest,
  type ResumeReply,
  type ResumeRequest,
  RoomStore,
  type RoomTop,
} from '@wss/state';
import type { Metrics } from './metrics.js';

/** A store that counts its commits and the repairs of gaps. */
export class MeasuredRoomStore extends RoomStore {
  constructor(
    private readonly store: RoomStore,
    private readonly metrics: Metrics,
  ) {
    super();
  }

  async commit(request: CommitRequest): Promise<CommitReply> {
    const { commits, commitCommands, commitSeconds } = this.metrics;
    const end = commitSeconds.startTimer();
    commitCommands.observe(request.entries.length);
    try {
      const reply = this.noteLoss(await this.store.commit(request));
      commits.inc({ outcome: outcomeOf(reply) });
      return reply;
    } catch (error) {
      commits.inc({ outcome: 'failed' });
      throw error;
    } finally {
      end();
    }
  }

  /** A call with a position repairs a gap. */
  async resume(request: ResumeRequest): Promise<ResumeReply> {
    if (!request.from) return this.noteLoss(await this.store.resume(request));
    const { repairs, repairedEvents } = this.metrics;
    try {
      const reply = this.noteLoss(await this.store.resume(request));
      repairs.inc({ outcome: 'ok' });
      repairedEvents.inc(reply.entries.reduce((sum, { events }) => sum + events.length, 0));
      return reply;
    } catch (error) {
      repairs.inc({ outcome: 'failed' });
      throw error;
    }
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

  private noteLoss<Reply extends CommitReply | ResumeReply>(reply: Reply): Reply {
    for (const part of reply.lostParts ?? []) this.metrics.lostParts.inc({ part });
    return reply;
  }
}

function outcomeOf(reply: CommitReply): 'committed' | 'conflict' | 'judged' {
  if (reply.status === 'committed') return 'committed';
  return reply.conflict ? 'conflict' : 'judged';
}
