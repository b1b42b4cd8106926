import { describe, expect, it } from '@jest/globals';
import { ExternalContextCreator } from '@nestjs/core';
import type { ParamsFactory } from '@nestjs/core/helpers/external-context-creator.js';
import {
  PARAM_ARGS_METADATA as RPC_PARAM_ARGS_METADATA,
  PATTERN_METADATA,
} from '@nestjs/microservices/constants.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { EventPattern, Ctx, Payload } from '@nestjs/microservices';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { WsParamtype } from '@nestjs/websockets/enums/ws-paramtype.enum.js';
import {
  GATEWAY_METADATA,
  GATEWAY_OPTIONS,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
  PARAM_ARGS_METADATA,
  PORT_METADATA,
} from '@nestjs/websockets/internal';

/** Checks the parts of Nest that we use without them being public. Each case fails when Nest moves or redefines it. */
describe('the internals of Nest that we use', () => {
  @WebSocketGateway(8_080, { path: '/x' })
  class Decorated {
    @SubscribeMessage('event')
    message(@ConnectedSocket() _a: unknown, @MessageBody('b') _b: unknown, @Ack() _c: unknown): void {}

    @EventPattern<string>('pattern')
    event(@Payload('a') _a: unknown, @Ctx() _b: unknown): void {}

    plain(): void {}
  }

  const args = (key: string, method: string): unknown => Reflect.getMetadata(key, Decorated, method);

  it('name what the decorators of messages store', () => {
    const { message, plain } = Decorated.prototype;
    expect(Reflect.getMetadata(MESSAGE_MAPPING_METADATA, message)).toBe(true);
    expect(Reflect.getMetadata(MESSAGE_METADATA, message)).toBe('event');
    expect(Reflect.getMetadata(MESSAGE_MAPPING_METADATA, plain)).toBeUndefined();
  });

  it('name what the decorator of gateways stores', () => {
    expect(Reflect.getMetadata(GATEWAY_METADATA, Decorated)).toBe(true);
    expect(Reflect.getMetadata(PORT_METADATA, Decorated)).toBe(8_080);
    expect(Reflect.getMetadata(GATEWAY_OPTIONS, Decorated)).toEqual({ path: '/x' });
  });

  it('number the parameters of messages', () => {
    expect([WsParamtype.SOCKET, WsParamtype.PAYLOAD, WsParamtype.ACK]).toEqual([0, 3, 13]);
    expect(args(PARAM_ARGS_METADATA, 'message')).toMatchObject({
      '0:0': { index: 0 },
      '3:1': { index: 1, data: 'b' },
      '13:2': { index: 2 },
    });
  });

  it('name and number what the decorators of events between nodes store', () => {
    expect(Reflect.getMetadata(PATTERN_METADATA, Decorated.prototype.event)).toEqual(['pattern']);
    expect([RpcParamtype.PAYLOAD, RpcParamtype.CONTEXT]).toEqual([3, 6]);
    expect(args(RPC_PARAM_ARGS_METADATA, 'event')).toMatchObject({
      '3:0': { index: 0, data: 'a' },
      '6:1': { index: 1 },
    });
  });

  it('take arguments through a factory of ours', () => {
    const factory: ParamsFactory = {
      exchangeKeyForValue: (type: number, data: unknown, from: unknown) => [type, data, from],
    };
    expect(factory.exchangeKeyForValue(3, 'a', [1])).toEqual([3, 'a', [1]]);
    expect(ExternalContextCreator.prototype.create).toBeInstanceOf(Function);
  });
});
