export { NodeDrain } from './assembly/node-drain.js';
export { UnfitEngine } from './engine/engine.js';
export { Readiness, type ReadinessCheck } from './health/readiness.js';
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
  Cluster,
  type ClusterAnswer,
  CLUSTER_TRANSPORT,
  ClusterContext,
  Presence,
  RESYNC_EVENT,
  Rooms,
} from '@wss/cluster';
export {
  Client,
  Command,
  commandOf,
  CurrentCommand,
  Empty,
  type ExpiredSession,
  GatewayError,
  GatewayErrorFilter,
  OnSession,
  PlainObject,
  type PresencePage,
  type PresenceRange,
  Reply,
  type ResumedSession,
  RoomDocument,
  RoomType,
} from '@wss/core';
export { Admission, type Admitted, UpgradeRefusal } from '@wss/messaging';
export type { ErrorCode, ErrorDetail } from '@wss/protocol';
export { type CommitOptions, type CommitScope, InjectState, StateRepository } from '@wss/state';
