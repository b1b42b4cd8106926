import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Readiness, type ReadinessCheck } from './readiness.js';

/**
 * The node as an indicator of `@nestjs/terminus`, for a health controller of yours:
 * `health.check([() => this.wss.isReady()])`. List it in the providers of a module that imports `TerminusModule`.
 */
@Injectable()
export class WssHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly readiness: Readiness,
  ) {}

  /** Up while the node takes clients, else down with the problems. */
  isReady<Key extends string = 'wss'>(key = 'wss' as Key): HealthIndicatorResult<Key> {
    const problems = this.readiness.problems();
    const indicator = this.indicators.check(key);
    return problems.length === 0 ? indicator.up() : indicator.down(problems.join('; '));
  }

  /** Each part of the node as an indicator of its own. */
  parts(): HealthIndicatorResult[] {
    const { checks, notices } = this.readiness;
    return [
      ...[...checks].map(([part, check]) => this.look(part, check)),
      ...[...notices].map(([part, notice]) => this.tell(part, notice)),
    ];
  }

  private look(part: string, check: ReadinessCheck): HealthIndicatorResult {
    const problem = check();
    const indicator = this.indicators.check(part);
    return problem === undefined ? indicator.up() : indicator.down(problem);
  }

  /** The node serves, and operators should know of a problem. */
  private tell(part: string, notice: ReadinessCheck): HealthIndicatorResult {
    const told = notice();
    const indicator = this.indicators.check(part);
    if (told === undefined) return indicator.up();
    // Terminus 11 knows up and down only.
    return indicator.degraded?.(told) ?? indicator.up(told);
  }
}
