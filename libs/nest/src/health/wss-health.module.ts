import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { WssHealthIndicator } from './wss-health.indicator.js';

/**
 * Serves `/health/live` (the process runs) and `/health/ready` (the node takes clients). It needs `@nestjs/terminus`.
 * For a health controller of your own use {@link WssHealthIndicator} without this module.
 */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [WssHealthIndicator],
  exports: [WssHealthIndicator],
})
export class WssHealthModule {}
