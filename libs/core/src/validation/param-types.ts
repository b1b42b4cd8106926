import { Ctx, Payload } from '@nestjs/microservices';
import { ConnectedSocket, MessageBody } from '@nestjs/websockets';
import { PARAM_ARGS_METADATA } from '@nestjs/websockets/constants.js';

/** The numbers by which Nest's decorators mark parameters; asked of the decorators, since Nest keeps their names to itself. */
export const ParamType = {
  socket: typeOf(ConnectedSocket()),
  body: typeOf(MessageBody()),
  payload: typeOf(Payload()),
  context: typeOf(Ctx()),
} as const;

function typeOf(decorate: ParameterDecorator): number {
  class Probe {
    method(): void {}
  }
  decorate(Probe.prototype, 'method', 0);
  const [key = ''] = Object.keys(Reflect.getMetadata(PARAM_ARGS_METADATA, Probe, 'method') as object);
  return paramTypeOf(key);
}

/** The type of a parameter, from the key of its metadata: `<type>:<index>`. */
export function paramTypeOf(key: string): number {
  return Number(key.split(':')[0]);
}
