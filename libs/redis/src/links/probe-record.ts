import { Logger } from '@nestjs/common';
import { LogGate } from '@wss/protocol';
import { EngineClock } from '../server/engine-clock.js';
import type { LinkRole } from './open-link.js';

/** Reason for which a probe replaced a link: nothing came back over it, it did not answer, or it led to a replica. */
export type ReplacementCause = 'deaf' | 'mute' | 'replica';

/** Links of one kind that a probe replaced for one reason. */
export interface Replacement {
  readonly role: LinkRole;
  readonly cause: ReplacementCause;
  readonly count: number;
}

/** Results of a node's probes since it started. */
export class ProbeRecord {
  /** Number of probes that came back before the next one was due. */
  answered = 0;
  missed = 0;
  /** The clocks of the servers that were probed. */
  readonly clock = new EngineClock();
  private readonly logger = new Logger('LinkProbe');
  /** Lines of all probes that share the record: an outage of many servers has one line of each kind. */
  readonly faults = new LogGate((line) => this.logger.warn(line));
  private readonly byName = new Map<string, Replacement>();

  /** Links that were replaced. */
  get replacements(): Replacement[] {
    return [...this.byName.values()];
  }

  replaced(role: LinkRole, cause: ReplacementCause): void {
    const name = `${role} ${cause}`;
    const count = (this.byName.get(name)?.count ?? 0) + 1;
    this.byName.set(name, { role, cause, count });
  }
}
