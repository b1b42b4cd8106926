import type { ExternalContextCreator } from '@nestjs/core';
import { ParamType } from './param-types.js';
import { ownField } from './plain-object.js';

type ParamsFactory = NonNullable<Parameters<ExternalContextCreator['create']>[4]>;

/** Returns the value, or one of its own properties: a client must not reach inherited ones. */
function pick(value: unknown, property: unknown): unknown {
  if (!property) return value;
  return typeof value === 'object' && value !== null ? ownField(value, property as string) : undefined;
}

/** Converts the client's data for the handler's `@MessageBody()`, or throws. */
export type BodyReader = (data: unknown) => unknown;

/** `@ConnectedSocket()` and `@MessageBody()` over handler arguments `[client, data, command, event]`. */
export class WsParamsFactory implements ParamsFactory {
  constructor(private readonly readBody: BodyReader = (data) => data) {}

  exchangeKeyForValue(type: number, property: unknown, args: unknown[]): unknown {
    if (type === ParamType.socket) return args[0];
    if (type === ParamType.body) return property ? pick(args[1], property) : this.readBody(args[1]);
    return undefined;
  }
}

/** `@Payload()` and `@Ctx()` over handler arguments `[data, context]`. */
export class RpcParamsFactory implements ParamsFactory {
  exchangeKeyForValue(type: number, property: unknown, args: unknown[]): unknown {
    if (type === ParamType.payload) return pick(args[0], property);
    if (type === ParamType.context) return args[1];
    return undefined;
  }
}
