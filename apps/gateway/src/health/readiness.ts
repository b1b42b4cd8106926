import { Injectable } from '@nestjs/common';

/** Returns the problem of a part of the node; undefined while it serves. */
export type ReadinessCheck = () => string | undefined;

/** Decides if this node should get new clients, and says why not. */
@Injectable()
export class Readiness {
  private draining = false;
  private readonly all = new Map<string, ReadinessCheck>([
    ['node', () => (this.draining ? 'the node is shutting down' : undefined)],
  ]);

  private readonly told = new Map<string, ReadinessCheck>();

  /** Problems that operators should know of although all clients are served, by the name of the part. */
  get notices(): ReadonlyMap<string, ReadinessCheck> {
    return this.told;
  }

  /** The checks, by the name of the part. */
  get checks(): ReadonlyMap<string, ReadinessCheck> {
    return this.all;
  }

  /** Adds the check of a part. */
  add(part: string, check: ReadinessCheck): void {
    this.all.set(part, check);
  }

  /** Adds the check of a part that may serve, but not as it should. */
  addNotice(part: string, notice: ReadinessCheck): void {
    this.told.set(part, notice);
  }

  /** Makes the node unready for good. */
  drain(): void {
    this.draining = true;
  }

  /** Problems that keep the node from being ready; empty when it is. */
  problems(): string[] {
    return [...this.all.values()].map((check) => check()).filter((problem) => problem !== undefined);
  }
}
