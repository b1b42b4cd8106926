export { isReboundHost } from './admission/origins.js';
export { NodeFacts } from './assembly/node-facts.js';
export { NodeDrain } from './assembly/node-drain.js';
export { UnfitEngine } from './engine/engine.js';
export { Readiness, type ReadinessCheck } from './health/readiness.js';
export { checkWssOptions } from './options/check-options.js';
export type { WssOptionProblem } from './options/option-checks.js';
export type {
  WssAuth,
  WssDrainOptions,
  WssJwtOptions,
  WssLimits,
  WssOptions,
  WssPresenceOptions,
  WssRedisOptions,
  WssSessionOptions,
} from './options/wss-options.js';
export { BadWssOptions } from './options/wss-settings.js';
export { useWss, type UseWssOptions } from './use-wss.js';
export { type WssAsyncOptions, WssModule } from './wss.module.js';
export {
  Appended,
  type CallOptions,
  Cluster,
  type ClusterAnswer,
  CLUSTER_TRANSPORT,
  ClusterContext,
  type DirectTarget,
  type DisconnectOptions,
  type EmitOptions,
  type ExportedEvent,
  type ExportedRoom,
  type JobRun,
  type JobTarget,
  type NodeInfo,
  type NodeTarget,
  Presence,
  RESYNC_EVENT,
  type RevokeOptions,
  type RoomPresence,
  Rooms,
  type OnceOnly,
  type RoomTarget,
  Sessions,
  Users,
} from '@wss/cluster';
export {
  type BackPressure,
  Client,
  Command,
  commandOf,
  CurrentCommand,
  Empty,
  type ExpiredSession,
  GatewayError,
  GatewayErrorFilter,
  type HistoryOptions,
  OnSession,
  PlainObject,
  type PresencePage,
  type PresenceRange,
  type PresentUser,
  RateLimit,
  type RateLimitOptions,
  Reply,
  type ResumedSession,
  RoomDocument,
  type RoomDocumentOptions,
  RoomType,
  type RoomTypeOptions,
  Sends,
} from '@wss/core';
export {
  Admission,
  type Admitted,
  clientAddress,
  type ConnectingClient,
  UpgradeRefusal,
} from '@wss/messaging';
export type { ErrorCode, ErrorDetail } from '@wss/protocol';
export {
  type CommitOptions,
  type CommitScope,
  type OnceScope,
  type RoomScope,
  InjectState,
  type ReadDocument,
  type RoomDraft,
  StateRepository,
  type UpdateFunction,
} from '@wss/state';
