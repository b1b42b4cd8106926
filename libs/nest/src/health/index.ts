export { WssHealthIndicator } from './wss-health.indicator.js';
export { WssHealthModule } from './wss-health.module.js';
