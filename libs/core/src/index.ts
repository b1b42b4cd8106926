export * from './commands/client.js';
export {
  Command,
  type CommandInit,
  type CommandMembership,
  type CommandNumber,
  type RecordedAnswer,
} from './commands/command.js';
export * from './bind.js';
export * from './commands/command-order.js';
export * from './commands/command-recorder.js';
export { commandOf, CurrentCommand } from './commands/current-command.js';
export * from './errors/engine-error.js';
export { GatewayError, toGatewayError } from './errors/gateway-error.js';
export {
  membershipEnded,
  membershipForgotten,
  membershipUnknown,
  notMember,
  roomDeleted,
} from './errors/membership-errors.js';
export { didYouMean } from './errors/near-names.js';
export { GatewayErrorFilter } from './gateway-error-filter.js';
export { AskedGuard, providedOrMade } from './handlers/asked-guard.js';
export { HandlerContexts } from './handlers/handler-contexts.js';
export { HandlerExecution } from './handlers/handler-execution.js';
export * from './handlers/handler-explorer.js';
export { isThenable } from './handlers/short-way.js';
export { HandlerOptions } from './handlers/handler-options.js';
export * from './handlers.module.js';
export {
  changedValue,
  computedProperty,
  declaredProblem,
  type FieldProblem,
  lostValue,
  typedClasses,
  unreadKey,
} from './validation/json-fields.js';
export { requireCarriedData } from './validation/handler-data.js';
export { uncompiledClasses } from './validation/compiled-rules.js';
export { isPrimitive, messageBodiesOf } from './validation/message-body.js';
export { RpcParamsFactory, WsParamsFactory } from './validation/params-factories.js';
export { isPlainObject, PlainObject } from './validation/plain-object.js';
export { Reply, replyTypeOf } from './handlers/reply.js';
export { RoomDocument, type RoomDocumentOptions, roomDocumentOf } from './rooms/room-document.js';
export * from './rooms/room-events.js';
export * from './rooms/room-gate.js';
export * from './rooms/lost-position.js';
export * from './rooms/room-start.js';
export {
  type BackPressure,
  type HistoryOptions,
  RoomType,
  type RoomTypeDeclaration,
  type RoomTypeOptions,
  roomTypeOf,
} from './rooms/room-type.js';
export * from './rooms/room-type-registry.js';
export { type PresencePage, type PresenceRange, type PresentUser } from './rooms/room-users.js';
export * from './sessions/client-session.js';
export * from './sessions/standing.js';
export {
  type ExpiredSession,
  OnSession,
  type ResumedSession,
  SessionHooks,
} from './sessions/session-hooks.js';
export * from './commands/rate-charge.js';
export { type UserCharge, type UserLimit, UserRates } from './commands/user-rates.js';
export {
  RateLimit,
  rateLimited,
  type RateLimitOptions,
  RateLimits,
  type StatedLimit,
} from './commands/rate-limit.js';
export * from './commands/slots.js';
export { type ClassReference, classSchema } from './schemas/class-schema.js';
export type { JsonSchema } from './schemas/json-schema.js';
export * from './validation/validation.js';
