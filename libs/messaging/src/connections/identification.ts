import type { IncomingMessage } from 'node:http';
import { Injectable, Optional } from '@nestjs/common';
import { HANDSHAKE_MS } from '../ports/limits.js';
import { Admission, UpgradeLimits } from '../ports/ports.js';
import { ConnectGuards } from './connect-guards.js';
import { stepOf } from './handshake-step.js';
import type { IdentifiedClient } from './upgrades.js';

const UNDECIDED =
  'the option auth or a guard of the option connect did not answer in time (limits.handshakeMs); see what it waits for';

const UNANSWERED =
  'Redis did not say in time if its user may come (limits.handshakeMs); see why it answers slowly';

/** Finds out who asks to connect, and if they may: admission first, then the connect guards. */
@Injectable()
export class Identification {
  private readonly withinMs: number;

  constructor(
    private readonly admission: Admission,
    private readonly guards: ConnectGuards,
    @Optional() limits?: UpgradeLimits,
  ) {
    this.withinMs = limits?.handshakeMs ?? HANDSHAKE_MS;
  }

  /**
   * Identifies the client of an upgrade request, within the time of a handshake.
   * @throws UpgradeRefusal
   */
  of(request: IncomingMessage): Promise<IdentifiedClient> {
    return stepOf(request.socket, this.identify(request), { withinMs: this.withinMs, late: UNDECIDED });
  }

  /**
   * Waits for what follows the identification, within what is left of the time.
   * @param startedAt when the identification began, ms on the steady clock
   * @throws UpgradeRefusal 503 when it is late
   */
  within<T>({ socket }: IncomingMessage, startedAt: number, step: Promise<T>): Promise<T> {
    const withinMs = Math.max(1, startedAt + this.withinMs - performance.now());
    return stepOf(socket, step, { withinMs, late: UNANSWERED });
  }

  private async identify(request: IncomingMessage): Promise<IdentifiedClient> {
    const admitted = await this.admission.admit(request, new URL(request.url ?? '/', 'ws://node'));
    const attached = await this.guards.ask(admitted, request);
    return attached ? { ...admitted, attached } : admitted;
  }
}
