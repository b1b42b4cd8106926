import { Injectable } from '@nestjs/common';
import { NodeIdentity } from '@wss/messaging';

/** Returns the problem of a part of the node; undefined while it serves. */
export type ReadinessCheck = () => string | undefined;

/** Says if this node should get new clients, and why not. */
export abstract class Readiness {
  /** This incarnation of the node; the ids of its clients begin with it. */
  abstract readonly nodeId: string;

  /**
   * The checks, by the name of the part: `node`, `links`, `proofs`, `channels`, `server`, `secrets`, `lease`; on the
   * embedded engine only `node` and `lease`.
   */
  abstract readonly checks: ReadonlyMap<string, ReadinessCheck>;

  /** Problems that operators should know of although all clients are served, by the name of the part: `clocks`. */
  abstract readonly notices: ReadonlyMap<string, ReadinessCheck>;

  /** Problems that keep the node from being ready; empty while it is. */
  abstract problems(): string[];

  /** Adds the check of a part of the application: while it has a problem, the node is not ready. */
  abstract add(part: string, check: ReadinessCheck): void;
}

/** The {@link Readiness} of the node, from its start to its end. */
@Injectable()
export class NodeReadiness extends Readiness {
  private state: 'starting' | 'open' | 'closing' = 'starting';
  private readonly all = new Map<string, ReadinessCheck>([['node', () => this.phase()]]);
  private readonly told = new Map<string, ReadinessCheck>();

  constructor(private readonly identity: NodeIdentity) {
    super();
  }

  get nodeId(): string {
    return this.identity.nodeId;
  }

  get notices(): ReadonlyMap<string, ReadinessCheck> {
    return this.told;
  }

  get checks(): ReadonlyMap<string, ReadinessCheck> {
    return this.all;
  }

  add(part: string, check: ReadinessCheck): void {
    this.all.set(part, check);
  }

  /** Adds the check of a part that may serve, but not as it should. */
  addNotice(part: string, notice: ReadinessCheck): void {
    this.told.set(part, notice);
  }

  /** The node has started; from now on the checks decide. */
  open(): void {
    if (this.state === 'starting') this.state = 'open';
  }

  /** Makes the node unready for good. */
  drain(): void {
    this.state = 'closing';
  }

  problems(): string[] {
    return [...this.all.values()].map((check) => check()).filter((problem) => problem !== undefined);
  }

  private phase(): string | undefined {
    if (this.state === 'open') return undefined;
    return this.state === 'starting' ? 'the node is starting' : 'the node is shutting down';
  }
}
