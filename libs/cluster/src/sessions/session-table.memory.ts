import { randomBytes } from 'node:crypto';
import { MemoryTable } from '@wss/state';

/** One session, as Redis keeps it. */
export interface MemorySession {
  user: string;
  generation: number;
  endsAt: number;
  /** True if it was ended for good. */
  revoked: boolean;
  startedAt?: number | undefined;
  /** Time until which a node has claimed the announcement of its end. */
  claimedUntil?: number;
  /** The end up to which the records of its commands were extended last. */
  lanesEndAt?: number;
  readonly lanes: Set<string>;
  readonly rooms: Set<string>;
  /** Room → position since which it is a member, where that was noted. */
  readonly since: Map<string, string>;
  /** True if its numbered commands in some rooms are not kept any more. */
  hasForgotten?: true;
}

/** Session id → session. */
export class SessionTable extends MemoryTable<MemorySession> {
  readonly name = 'sessions';
  /** The secret that the nodes of this process sign with. */
  readonly secret = randomBytes(20).toString('hex');
}
