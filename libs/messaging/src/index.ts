export {
  type ClusterGatewayOptions,
  ClusterWsAdapter,
  type ClusterWsAdapterOptions,
} from './adapter/cluster-ws.adapter.js';
export type { FallbackAdapter } from './adapter/fallback.js';
export { CommandRouter } from './commands/command-router.js';
export { ClientConnections, type ConnectionPorts } from './connections/client-connections.js';
export { Drain } from './connections/drain.js';
export { Hub } from './connections/hub.js';
export { MESSAGING_PROVIDERS } from './messaging-providers.js';
export { IDENTITY_LEEWAY_MS, LISTEN_BACKLOG } from './ports/limits.js';
export * from './ports/messaging-observer.js';
export * from './ports/ports.js';
export { RoomDelivery } from './rooms/room-delivery.js';
export { ClientSocket } from './socket/client-socket.js';
