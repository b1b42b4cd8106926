import { GatewayError } from '@wss/core';

/** Errors that the application's ports throw when the engine is out of reach; this library knows no engine's classes. */
const ENGINE_ERRORS = new Set(['StoreError', 'RedisError']);

/** Tells a failure of the engine, which passes, from a bug of this process. */
export function isEngineError(error: unknown): error is Error {
  if (error instanceof GatewayError) return error.code === 'unavailable';
  return error instanceof Error && ENGINE_ERRORS.has(error.name);
}
