export {
  type ClusterGatewayOptions,
  ClusterWsAdapter,
  type ClusterWsAdapterOptions,
} from './adapter/cluster-ws.adapter.js';
export type { FallbackAdapter } from './adapter/fallback.js';
export { CommandRouter } from './commands/command-router.js';
export { Arrivals } from './connections/arrivals.js';
export { clientAddress } from './connections/client-addresses.js';
export { ClientConnections, type ConnectionPorts } from './connections/client-connections.js';
export type { ConnectingClient } from './connections/connect-guards.js';
export { Drain } from './connections/drain.js';
export { Hub } from './connections/hub.js';
export { MESSAGING_PROVIDERS } from './messaging-providers.js';
export { type HistoryPage, type HistoryQuery, HistorySource } from './ports/history-source.js';
export { ownClaims } from './ports/claims.js';
export {
  BYTES_PER_SECOND,
  FRAMES_PER_SECOND,
  HANDSHAKE_MS,
  IDENTITY_LEEWAY_MS,
  LISTEN_BACKLOG,
} from './ports/limits.js';
export * from './ports/messaging-observer.js';
export { parseNetwork } from './ports/networks.js';
export * from './ports/ports.js';
export { RoomDelivery } from './rooms/room-delivery.js';
export { ClientSocket } from './socket/client-socket.js';
