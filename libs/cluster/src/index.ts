export { ClusterClient } from './cluster-client.js';
export { ClusterTransport, RESYNC_EVENT } from './cluster-transport.js';
export { type CallOptions, Cluster, type EmitOptions, type NodeTarget } from './cluster.js';
export { CLUSTER_PROVIDERS, ClusterModule, ClusterModuleOptions } from './cluster.module.js';
export { NodeCluster } from './node-cluster.js';
export { Channels } from './channels/channels.js';
export { MemoryClusterChannels } from './channels/channels.memory.js';
export { RedisChannels } from './channels/channels.redis.js';
export { ShardedChannels } from './channels/channels.sharded.js';
export { type ClusterAnswer } from './events/cluster-answer.js';
export { ClusterContext, type JobRun } from './events/cluster-context.js';
export { CLUSTER_TRANSPORT } from './events/cluster-transport-id.js';
export { type RoomListener } from './following/room-listener.js';
export { type JobStats } from './jobs/job-group.js';
export { JobQueue } from './jobs/job-queue.js';
export { MemoryJobQueue } from './jobs/job-queue.memory.js';
export { JOB_SCRIPTS, RedisJobQueue } from './jobs/job-queue.redis.js';
export { JOB_SETTINGS, JobRunner } from './jobs/job-runner.js';
export { type JobTarget } from './jobs/jobs.js';
export { LiveContracts } from './nodes/live-contracts.js';
export { type NodeInfo, NodeRegistry } from './nodes/node-registry.js';
export { MemoryNodeRegistry } from './nodes/node-registry.memory.js';
export { NODE_SCRIPTS, RedisNodeRegistry } from './nodes/node-registry.redis.js';
export {
  WAITING_REST_MS,
  WAITING_SCAN_MS,
  WaitingSessions,
  type WaitingSessionsOptions,
} from './waiting/waiting-sessions.js';
export { WaitingStore } from './waiting/waiting-store.js';
export { MemoryWaitingStore } from './waiting/waiting-store.memory.js';
export { RedisWaitingStore, WAITING_SCRIPTS } from './waiting/waiting-store.redis.js';
export { PlaceCounts, type PlaceLimit } from './places/place-counts.js';
export { PlaceStore } from './places/place-store.js';
export { MemoryPlaceStore } from './places/place-store.memory.js';
export { PLACE_SCRIPTS, RedisPlaceStore } from './places/place-store.redis.js';
export { ClusterPresence } from './presence/cluster-presence.js';
export { NodePresence } from './presence/node-presence.js';
export { PresenceStore } from './presence/presence-store.js';
export { MemoryPresenceStore } from './presence/presence-store.memory.js';
export { PRESENCE_SCRIPTS, RedisPresenceStore } from './presence/presence-store.redis.js';
export { Presence, type RoomPresence } from './presence/presence.js';
export { RoomFormats } from './presence/room-formats.js';
export { FeedHold } from './rooms/feed-room.js';
export { FeedFaults } from './following/room-faults.js';
export { LostHistories } from './rooms/lost-histories.js';
export { type EndingOptions, type RemovedSession, RoomEndings } from './rooms/room-endings.js';
export { type ExportedEvent, type ExportedRoom, RoomExports } from './rooms/room-exports.js';
export { RoomFeed } from './rooms/room-feed.js';
export {
  Appended,
  ClusterRooms,
  type DirectTarget,
  type OnceOnly,
  Rooms,
  type RoomTarget,
} from './rooms/rooms.js';
export { ClientRouting } from './sessions/client-routing.js';
export { ClusterSessions, ClusterUsers } from './revocations/cluster-users.js';
export { Revocations } from './revocations/revocations.js';
export { type DisconnectOptions, type RevokeOptions, Sessions, Users } from './revocations/users.js';
export { SessionExpiry } from './sessions/session-expiry.js';
export { SessionStore } from './sessions/session-store.js';
export { MemorySessionStore } from './sessions/session-store.memory.js';
export { SESSION_SCRIPTS } from './sessions/session-scripts.js';
export { RedisSessionStore } from './sessions/session-store.redis.js';
export { Session, type SessionOptions, SessionKeeper } from './sessions/session-keeper.js';
export { StandingStore } from './users/standing-store.js';
export { MemoryStandingStore } from './users/standing-store.memory.js';
export { RedisStandingStore, STANDING_SCRIPTS } from './users/standing-store.redis.js';
