export { Metrics } from './metrics.js';
export { WssMetricsModule, type WssMetricsOptions } from './wss-metrics.module.js';
