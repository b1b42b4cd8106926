import { Controller, Get } from '@nestjs/common';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { NodeIdentity } from '@wss/messaging';
import { Readiness, type ReadinessCheck } from './readiness.js';

/** Health of the node, for operators and supervisors; needs no token. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly readiness: Readiness,
    private readonly node: NodeIdentity,
  ) {}

  /** The process runs. */
  @Get('live')
  live(): object {
    return { status: 'ok', nodeId: this.node.nodeId };
  }

  /**
   * Answers 200 while the node takes clients, else 503, with the state of each part: `node`, `links`, `proofs`,
   * `channels`, `server`, `secrets`, `lease`, `clocks`; on the embedded engine only `node` and `lease`.
   */
  @Get('ready')
  @HealthCheck({ swaggerDocumentation: false })
  ready(): Promise<HealthCheckResult> {
    const { checks, notices } = this.readiness;
    return this.health.check([
      ...[...checks].map(
        ([part, check]) =>
          () =>
            this.look(part, check),
      ),
      ...[...notices].map(
        ([part, notice]) =>
          () =>
            this.tell(part, notice),
      ),
    ]);
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
    return told === undefined ? indicator.up() : indicator.degraded(told);
  }
}
