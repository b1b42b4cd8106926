import { describe, expect, it } from '@jest/globals';
import { ExternalContextCreator } from '@nestjs/core';
import {
  PARAM_ARGS_METADATA as RPC_PARAM_ARGS_METADATA,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
} from '@nestjs/microservices/constants.js';
import { EventPattern, Ctx, MessagePattern, Payload, Server } from '@nestjs/microservices';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  GATEWAY_METADATA,
  GATEWAY_OPTIONS,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
  PARAM_ARGS_METADATA,
  PORT_METADATA,
} from '@nestjs/websockets/constants.js';

/** Checks the parts of Nest that we use without them being public. Each case fails when Nest moves or redefines it. */
describe('the internals of Nest that we use', () => {
  @WebSocketGateway(8_080, { path: '/x' })
  class Decorated {
    @SubscribeMessage('event')
    message(@ConnectedSocket() _a: unknown, @MessageBody('b') _b: unknown, @Ack() _c: unknown): void {}

    @EventPattern<string>('pattern')
    event(@Payload('a') _a: unknown, @Ctx() _b: unknown): void {}

    @MessagePattern('call')
    call(): void {}

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
    expect(args(PARAM_ARGS_METADATA, 'message')).toMatchObject({
      '0:0': { index: 0 },
      '3:1': { index: 1, data: 'b' },
      '13:2': { index: 2 },
    });
  });

  it('name and number what the decorators of events between nodes store', () => {
    expect(Reflect.getMetadata(PATTERN_METADATA, Decorated.prototype.event)).toEqual(['pattern']);
    const kinds = (['event', 'call'] as const).map((method): unknown =>
      Reflect.getMetadata(PATTERN_HANDLER_METADATA, Decorated.prototype[method]),
    );
    expect(kinds).toEqual([2, 1]);
    expect(args(RPC_PARAM_ARGS_METADATA, 'event')).toMatchObject({
      '3:0': { index: 0, data: 'a' },
      '6:1': { index: 1 },
    });
  });

  it('take arguments through a factory of ours', () => {
    const factory: NonNullable<Parameters<ExternalContextCreator['create']>[4]> = {
      exchangeKeyForValue: (type: number, data: unknown, from: unknown) => [type, data, from],
    };
    expect(factory.exchangeKeyForValue(3, 'a', [1])).toEqual([3, 'a', [1]]);
    expect(ExternalContextCreator.prototype.create).toBeInstanceOf(Function);
  });

  it('name a pattern', () => {
    const nameOf = (pattern: string | object): string =>
      Server.prototype['normalizePattern'](pattern as never);
    expect(nameOf('a')).toBe('a');
    expect(nameOf({ b: 1, a: 'x' })).toBe('{"a":"x","b":1}');
  });
});
