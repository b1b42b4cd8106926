import type { LinkCount, ProbeRecord } from '@wss/redis';

/** Figures of the links to Redis. */
export interface EngineLinks {
  counts(): LinkCount[];
  readonly probes: ProbeRecord;
}
