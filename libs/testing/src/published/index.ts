export { eventually, type EventuallyOptions } from '../waiting/eventually.js';
export { setPatience } from '../waiting/patience.js';
export { type FrameFilter } from '../clients/frame-queue.js';
export { CommandFailed, type ServerFrame, UpgradeRefused } from '../clients/server-frame.js';
export {
  type ConnectionClosed,
  type Greeting,
  type PresenceAnnouncement,
  type RequestOptions,
  TestClient,
  type TestClientOptions,
} from '../clients/test-client.js';
export {
  TestRoom,
  type TestRoomEvent,
  type TestRoomOptions,
  type TestRoomRange,
  type TestRoomUser,
} from '../clients/test-room.js';
export {
  type AddedNodeOptions,
  type FeatureClientOptions,
  FeatureCluster,
  type FeatureClusterOptions,
  type FeatureConnectOptions,
  type FeatureMemberOptions,
  type YourRedis,
} from '../features/feature-cluster.js';
export { type FeatureModules, type FeatureNode, type FeatureNodeOptions } from '../features/feature-node.js';
