import { type DynamicModule, Module } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { WssModule } from '@wss/nest';
import { WssHealthModule } from '@wss/nest/health';
import { WssMetricsModule } from '@wss/nest/metrics';
import { Config } from './config.js';
import { PublicContractModule } from './contract/public-contract.module.js';
import { features } from './features/index.js';
import { NodeNameModule } from './node-name.module.js';
import { PageController } from './page/page.controller.js';
import { wssOptionsOf } from './wss-options.js';

/** The gateway: a node with the demo features, its health, its metrics, the demo page and the contract. */
@Module({})
export class AppModule {
  static with(config: Config, nodeId: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        NodeNameModule.with(nodeId),
        WssModule.forRoot(wssOptionsOf(config)),
        WssHealthModule,
        ...metricsOf(config),
        ...(showsContract(config) ? [PublicContractModule] : []),
        ...features,
      ],
      controllers: showsDemo(config) ? [PageController] : [],
      providers: [bindValue(Config, config)],
    };
  }
}

/** Metrics are shown if a port is set, or in development. */
function metricsOf({ MANAGEMENT_PORT, MANAGEMENT_TOKEN, SERVER_HOST, AUTH }: Config): DynamicModule[] {
  if (MANAGEMENT_PORT === undefined && AUTH !== 'none') return [];
  // A port that was not configured is for this machine only.
  const place = MANAGEMENT_PORT === undefined ? { port: 0 } : { port: MANAGEMENT_PORT, host: SERVER_HOST };
  const token = MANAGEMENT_TOKEN !== undefined && { token: MANAGEMENT_TOKEN };
  return [WssMetricsModule.forRoot({ server: { ...place, ...token } })];
}

/** Where clients need a token, strangers see neither the demo nor the contract unless the operator says so. */
function showsDemo({ AUTH, DEMO }: Config): boolean {
  return AUTH === 'none' || DEMO === '1';
}

function showsContract({ AUTH, CONTRACT }: Config): boolean {
  return AUTH === 'none' || CONTRACT === 'public';
}
