import { type DynamicModule, Module } from '@nestjs/common';
import { bindValue } from '@wss/core';
import { WssModule } from '@wss/nest';
import { ContractPageModule } from '@wss/nest/contract';
import type { MemoryEngine } from '@wss/state';
import { WssHealthModule } from '@wss/nest/health';
import { WssMetricsModule } from '@wss/nest/metrics';
import { addressesOf, Config } from './config.js';
import { CONTRACT_INFO } from './contract/contract-info.js';
import { features } from './features/index.js';
import { NodeNameModule } from './node-name.module.js';
import { ForeignHosts } from './page/foreign-hosts.js';
import { PageModule } from './page/page.module.js';
import { wssOptionsOf } from './wss-options.js';

/** The gateway: a node with the demo features, its health, its metrics, the demo page and the contract. */
@Module({})
export class AppModule {
  /** @param memory data of the embedded engine; default: none yet */
  static with(config: Config, nodeId: string, memory?: MemoryEngine): DynamicModule {
    return {
      module: AppModule,
      imports: [
        NodeNameModule.with({ nodeId, ...(memory && { memory }) }),
        WssModule.forRoot(wssOptionsOf(config)),
        WssHealthModule,
        ...metricsOf(config),
        ...(showsContract(config) ? [contractPageOf(config)] : []),
        ...features,
        ...(showsDemo(config) ? [PageModule.with(config, nodeId)] : []),
      ],
      providers: [bindValue(Config, config), ForeignHosts],
    };
  }
}

/** Commands can be tried where everybody may send them. */
function contractPageOf({ AUTH, WS_PATH }: Config): DynamicModule {
  return ContractPageModule.forRoot({ ...CONTRACT_INFO, ...(AUTH === 'none' && { tryAt: WS_PATH }) });
}

function metricsOf(config: Config): DynamicModule[] {
  const { MANAGEMENT_PORT, MANAGEMENT_TOKEN } = config;
  if (!showsMetrics(config)) return [];
  // A port that was not configured is for this machine only.
  const place =
    MANAGEMENT_PORT === undefined ? { port: 0 } : { port: MANAGEMENT_PORT, host: addressesOf(config)[0]! };
  const token = MANAGEMENT_TOKEN !== undefined && { token: MANAGEMENT_TOKEN };
  return [WssMetricsModule.forRoot({ server: { ...place, ...token, info: CONTRACT_INFO } })];
}

/** Metrics are shown if a port is set, or in development. */
export function showsMetrics({ MANAGEMENT_PORT, AUTH }: Config): boolean {
  return MANAGEMENT_PORT !== undefined || AUTH === 'none';
}

/** Where clients need a token, strangers see neither the demo nor the contract unless the operator says so. */
export function showsDemo({ AUTH, DEMO }: Config): boolean {
  return DEMO === undefined ? AUTH === 'none' : DEMO === '1';
}

export function showsContract({ AUTH, CONTRACT }: Config): boolean {
  return AUTH === 'none' || CONTRACT === 'public';
}
