import type { ParamsFactory } from '@nestjs/core/helpers/external-context-creator.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { WsParamtype } from '@nestjs/websockets/enums/ws-paramtype.enum.js';
import { ownField } from './plain-object.js';

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
    if (type === WsParamtype.SOCKET) return args[0];
    if (type === WsParamtype.PAYLOAD) return property ? pick(args[1], property) : this.readBody(args[1]);
    return undefined;
  }
}

/** `@Payload()` and `@Ctx()` over handler arguments `[data, context]`. */
export class RpcParamsFactory implements ParamsFactory {
  exchangeKeyForValue(type: number, property: unknown, args: unknown[]): unknown {
    if (type === RpcParamtype.PAYLOAD) return pick(args[0], property);
    if (type === RpcParamtype.CONTEXT) return args[1];
    return undefined;
  }
}
