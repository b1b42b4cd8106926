import type { IncomingMessage } from 'node:http';
import { Injectable, Logger, Optional } from '@nestjs/common';
import { isEngineError, type OpenedSession } from '@wss/core';
import { LogGate, stackOf } from '@wss/protocol';
import type { AttachedClaims } from '../ports/claims.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { type Admitted, UpgradeRefusal } from '../ports/ports.js';
import { refuseUpgrade } from './upgrade-refusal.js';
import { UpgradeTurns } from '../reading/upgrade-turns.js';

/** A client that may connect: its identity, and what connect guards gave it. */
export interface IdentifiedClient extends Admitted {
  /** Absent without guards that attach claims. */
  readonly attached?: AttachedClaims;
}

/** An admitted client: its identity and, with the subprotocol, its session. */
export interface AcceptedClient extends Omit<IdentifiedClient, 'issuedAt'> {
  /** When its identity was proven, ms since 1970 by the engine's clock; absent: unknown. */
  readonly issuedAt?: number;
  /** Its session, and the parts of its greeting; present with the subprotocol. */
  readonly opened?: OpenedSession;
  /** Generation of its user now. Default 0. */
  readonly generation?: number;
  /** True if it is not known yet that its user was not revoked. */
  readonly isUnjudged?: true;
}

/** An upgrade request whose path has a server, and whose handshake can be completed. */
export interface Upgrade {
  readonly request: IncomingMessage;
  /** @throws UpgradeRefusal */
  admit(request: IncomingMessage): Promise<AcceptedClient>;
  /** Completes it, unless the client has gone. */
  accept(admitted: AcceptedClient): void;
}

/** Lines of the log for sockets without a request. */
const HALF_OPEN = {
  408: 'no complete request came in time (option limits.handshakeMs, of the gateway HANDSHAKE_TIMEOUT_MS)',
  503: 'too many connections sent no request, so the oldest are cut (option limits.halfOpen, of the gateway MAX_HALF_OPEN)',
} as const;

/** Answers upgrade requests, on every path of the node. */
@Injectable()
export class Upgrades {
  private readonly logger = new Logger('Connections');
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly refusals = new LogGate((line) => this.logger.warn(line));
  private readonly turns = new UpgradeTurns();
  private readonly admitting = new Set<Promise<void>>();
  private refusing = false;

  constructor(@Optional() private readonly observer?: MessagingObserver) {}

  /** Refuses every upgrade with 503 from now on, even if its admission is under way. */
  refuseAll(): void {
    this.refusing = true;
  }

  /** False once every upgrade is refused. */
  get isOpen(): boolean {
    return !this.refusing;
  }

  /** @throws UpgradeRefusal when upgrades are refused */
  requireOpen(): void {
    if (!this.isOpen)
      throw new UpgradeRefusal(503, 'this node is shutting down; try again', { check: 'stopping' });
  }

  /** Accepts or refuses an upgrade. Never rejects. */
  admit(upgrade: Upgrade): Promise<void> {
    const answered = this.answer(upgrade)
      .catch((error: unknown) => this.cut(upgrade.request, error))
      .finally(() => this.admitting.delete(answered));
    this.admitting.add(answered);
    return answered;
  }

  /** Resolves when all upgrades that arrived until now are answered. */
  async allAnswered(): Promise<void> {
    await Promise.all(this.admitting);
  }

  /** Refuses an upgrade in the way that the client asks for. */
  refuse(request: IncomingMessage, refusal: UpgradeRefusal): void {
    this.answered(refusal.status, refusal.check);
    this.tell(refusal.status, refusal.log ?? refusal.message, refusal.kind);
    refuseUpgrade(request, refusal);
  }

  /** Counts and tells an upgrade that a gateway's own check, or `ws` itself, has refused. */
  refusedElsewhere(status: number): void {
    this.answered(status, 'handshake');
    this.tell(status, "the handshake is not valid, or the gateway's own check refused it");
  }

  /** Tells refusals of one kind once a minute: any visitor can cause them. */
  private tell(status: number, why: string, kind = why): void {
    if (why !== '')
      this.refusals.report(`${status} ${kind}`, `an upgrade was refused with ${status}: ${why}`);
  }

  /** Counts and tells a socket that was cut because no complete request came from it. */
  cutHalfOpen(status: 408 | 503): void {
    this.answered(status, 'half-open');
    this.tell(status, HALF_OPEN[status]);
  }

  /** Counts and tells a connection that was cut because too many requests of it waited for their answers. */
  cutPipelined(): void {
    this.answered(429, 'pipelined');
    this.refusals.report(
      'pipelined',
      'a connection was cut: too many of its HTTP requests waited for answers',
    );
  }

  /** Counts an upgrade request that was answered with this status; 101: it became a client. */
  answered(status: number, check?: string): void {
    this.observer?.upgradeAnswered(status, check);
  }

  private async answer({ request, admit, accept }: Upgrade): Promise<void> {
    try {
      const turn = this.turns.next();
      if (turn) await turn;
      this.requireOpen();
      const accepted = await admit(request);
      // While it was being admitted the client may have gone, or the node may have begun to stop.
      this.requireOpen();
      if (!request.socket.destroyed) accept(accepted);
    } catch (error) {
      if (error instanceof UpgradeRefusal) return this.refuse(request, error);
      this.failed(error);
      const check = isEngineError(error) ? 'engine' : 'fault';
      this.refuse(
        request,
        new UpgradeRefusal(503, 'the node could not admit the connection', { log: '', check }),
      );
    }
  }

  /** Cuts a client to which not even a refusal can be sent. */
  private cut({ socket }: IncomingMessage, error: unknown): void {
    socket.destroy();
    this.faults.report('bug', `an upgrade could not be answered: ${stackOf(error)}`);
  }

  /** Reports a failed upgrade. While the engine is away, clients come again and again: that is one fault. */
  private failed(error: unknown): void {
    if (!isEngineError(error)) return this.faults.report('bug', `an upgrade failed: ${stackOf(error)}`);
    const remedy = 'clients reconnect by themselves; find out why Redis is out of reach';
    this.faults.report('engine', `upgrades are answered 503 (${error.message}): ${remedy}`);
  }
}
