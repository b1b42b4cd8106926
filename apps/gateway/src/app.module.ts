import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ContractModule } from '@wss/contract';
import type { Config } from './config.js';
import { ContractController } from './contract/contract.controller.js';
import { CoreModule } from './assembly/core.module.js';
import type { Engine } from './engine/engine.js';
import { features } from './features/index.js';
import { HealthController } from './health/health.controller.js';
import { ManagementModule, measured } from './metrics/management.module.js';
import { Metrics } from './metrics/metrics.js';
import { PageController } from './page/page.controller.js';

@Module({})
export class AppModule {
  static with(config: Config, engine: Engine, nodeId: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ...coreOf(config, engine, nodeId),
        ContractModule,
        TerminusModule.forRoot({ logger: false }),
        ...features,
      ],
      controllers: [ContractController, HealthController, PageController],
    };
  }
}

function coreOf(config: Config, engine: Engine, nodeId: string): DynamicModule[] {
  if (!ManagementModule.isWanted(config)) return [CoreModule.with(config, engine, nodeId)];
  const metrics = new Metrics();
  return [CoreModule.with(config, measured(engine, metrics), nodeId), ManagementModule.with(metrics)];
}
