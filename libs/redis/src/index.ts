export * from './link-probe.js';
export * from './lua-script.js';
export * from './redis-errors.js';
export * from './redis-keys.js';
export * from './redis-links.js';
export * from './redis-target.js';
export * from './replication-fence.js';
export * from './server-check.js';
