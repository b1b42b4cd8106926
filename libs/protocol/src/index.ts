export * from './bounded-wait.js';
export * from './close-codes.js';
export * from './codec.js';
export * from './error-codes.js';
export * from './frame.js';
export * from './growing-pause.js';
export * from './log-gate.js';
export * from './names.js';
