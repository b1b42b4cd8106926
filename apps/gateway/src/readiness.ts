import { Injectable } from '@nestjs/common';

/** Whether this node should get new clients, and why not. */
@Injectable()
export class Readiness {
  private draining = false;
  private readonly checks: (() => string | undefined)[] = [];

  /** Adds a check that returns what is wrong, or nothing. */
  add(check: () => string | undefined): void {
    this.checks.push(check);
  }

  /** From now on the node is not ready. */
  drain(): void {
    this.draining = true;
  }

  /** What keeps the node from being ready; empty when it is. */
  problems(): string[] {
    const found = this.checks.map((check) => check()).filter((problem) => problem !== undefined);
    return this.draining ? ['the node is shutting down', ...found] : found;
  }
}
