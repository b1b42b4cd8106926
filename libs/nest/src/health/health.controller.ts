import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { Readiness } from './readiness.js';
import { WssHealthIndicator } from './wss-health.indicator.js';

/** Health of the node, for operators and supervisors; needs no token. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: WssHealthIndicator,
    private readonly readiness: Readiness,
  ) {}

  /** The process runs. */
  @Get('live')
  live(): object {
    return { status: 'ok', nodeId: this.readiness.nodeId };
  }

  /** Answers 200 while the node takes clients, else 503, with the state of each part. */
  @Get('ready')
  @HealthCheck({ swaggerDocumentation: false })
  ready(): Promise<HealthCheckResult> {
    return this.health.check(this.indicator.parts().map((part) => () => part));
  }
}
