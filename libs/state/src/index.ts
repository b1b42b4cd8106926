export * from './engine-recorder.js';
export { type CommitScope, Committer, CommitterOptions, type RoomScope } from './commits/committer.js';
export * from './documents/document-registry.js';
export { DocumentType } from './documents/document-type.js';
export {
  decodeMessage,
  encodeBody,
  encodeMessage,
  epochNumber,
  readMessageHead,
  seqOf,
} from './store/log-format.js';
export { NodeGivens } from './node-givens.js';
export { MemoryEngine } from './memory/engine.memory.js';
export { BadSnapshot, isSnapshot } from './memory/snapshot.memory.js';
export { MemoryTable } from './memory/table.memory.js';
export * from './memory/room-store.memory.js';
export { EngineUserRates } from './rates/engine-user-rates.js';
export { PartStore } from './rates/part-store.js';
export { MemoryPartStore } from './rates/part-store.memory.js';
export { PART_SCRIPTS, RedisPartStore } from './rates/part-store.redis.js';
export { valueOf } from './commits/outcomes.js';
export * from './store/room-store.redis.js';
export { encodeLogEvent, type RoomDraft } from './documents/room-draft.js';
export {
  type ClosedEpoch,
  type CommitReply,
  type CommitRequest,
  type HistoryReply,
  type HistoryRequest,
  type ResumeReply,
  type ResumeRequest,
  type RoomFindings,
  RoomStore,
  type RoomTop,
  UNUSED_MS,
} from './store/room-store.js';
export { MOST_ONCE_KEYS, type OnceScope } from './lanes/once-key.js';
export { StoreError } from './store/store-errors.js';
export {
  documentClassOf,
  InjectState,
  requireDeclaredRooms,
  STATE_PROVIDERS,
  StateModule,
} from './state.module.js';
export { type ReadDocument, RoomStateRepository, SharedState, StateRepository } from './state-repository.js';
export { type Work } from './commits/work.js';
export {
  appendWork,
  endingWork,
  type CommitOptions,
  type Update,
  type UpdateFunction,
} from './commits/works.js';
