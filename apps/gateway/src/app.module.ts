import { type DynamicModule, Module } from '@nestjs/common';
import { ContractModule } from '@wss/contract';
import type { Config } from './config.js';
import { ContractController } from './contract/contract.controller.js';
import { CoreModule } from './core.module.js';
import type { Engine } from './engine.js';
import { features } from './features/index.js';
import { HealthController } from './health.controller.js';
import { PageController } from './page.controller.js';

@Module({})
export class AppModule {
  static with(config: Config, engine: Engine, nodeId: string): DynamicModule {
    return {
      module: AppModule,
      imports: [CoreModule.with(config, engine, nodeId), ContractModule, ...features],
      controllers: [ContractController, HealthController, PageController],
    };
  }
}
