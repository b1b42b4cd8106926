import { type DynamicModule, Global, Module, type Provider } from '@nestjs/common';
import { bind, bindFactory, bindValue } from '@wss/core';
import { ContractModule } from '@wss/contract';
import { MessagingObserver } from '@wss/messaging';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { EngineObserver } from '../engine/engine-observer.js';
import { MetricsServer, MetricsServerOptions } from './metrics.server.js';
import { Instruments } from './instruments.js';
import { Metrics } from './metrics.js';

/** Where metrics are shown. */
export interface WssMetricsOptions {
  /**
   * Registry of `prom-client` that gets the metrics, e.g. the `register` that your application shows already. Default:
   * one of its own, with the metrics of the process beside.
   */
  readonly registry?: Registry;
  /** A server of its own, for operators only: `GET /metrics`, and the contract at `GET /asyncapi.json`. Default none. */
  readonly server?: MetricsServerOptions;
}

/** Counts what happens on this node, as Prometheus metrics (`wss_…`). It needs `prom-client`. */
@Global()
@Module({})
export class WssMetricsModule {
  static forRoot({ registry, server }: WssMetricsOptions = {}): DynamicModule {
    const shown: Provider[] = server ? [bindValue(MetricsServerOptions, server), MetricsServer] : [];
    return {
      module: WssMetricsModule,
      imports: server ? [ContractModule] : [],
      providers: [
        bindFactory(Metrics, [], () => new Metrics(new Instruments(registry ?? ownRegistry()))),
        bind(MessagingObserver, Metrics),
        bind(EngineObserver, Metrics),
        ...shown,
      ],
      exports: [Metrics, MessagingObserver, EngineObserver],
    };
  }
}

function ownRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
