export { Metrics } from './metrics.js';
export { MetricsServer } from './metrics.server.js';
export { WssMetricsModule, type WssMetricsOptions } from './wss-metrics.module.js';
