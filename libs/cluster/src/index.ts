export * from './channels.js';
export * from './client-routing.js';
export * from './memory-channels.js';
export * from './redis-channels.js';
export * from './room-feed.js';
export * from './room-listener.js';
export * from './rooms.js';
