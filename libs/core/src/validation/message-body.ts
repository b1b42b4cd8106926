import type { Type } from '@nestjs/common';
import { PARAM_ARGS_METADATA } from '@nestjs/websockets/constants.js';
import type { DecoratedMethod } from '../handlers/handler-explorer.js';
import { ParamType, paramTypeOf } from './param-types.js';

/** An argument of a handler, as Nest's decorators describe it. */
type ParamMetadata = Record<string, { index: number; data?: unknown }>;

/** The part of a client's data that a handler reads. */
export type MessageBodyType =
  /** The whole data as a class; primitives and arrays stay as they are. */
  | { readonly kind: 'whole'; readonly type: Type<object> }
  /** One property of the data. */
  | { readonly kind: 'property'; readonly property: string };

const PRIMITIVES = new Set<unknown>([String, Number, Boolean, Array]);

/** True if a type is a primitive or another type that is not a DTO class. */
export function isPrimitive(type: unknown): boolean {
  return PRIMITIVES.has(type);
}

/**
 * Returns the parts of the data that a handler's `@MessageBody()` parameters ask for.
 * @throws Error that says what to do, when a parameter's type was erased.
 */
export function messageBodiesOf({ instance, method, class: owner }: DecoratedMethod): MessageBodyType[] {
  const params = (Reflect.getMetadata(PARAM_ARGS_METADATA, owner, method) ?? {}) as ParamMetadata;
  const types = (Reflect.getMetadata('design:paramtypes', instance, method) ?? []) as (
    Type<object> | undefined
  )[];
  const bodies: MessageBodyType[] = [];
  for (const [key, { index, data }] of Object.entries(params)) {
    if (paramTypeOf(key) !== ParamType.body) continue;
    const type = types[index];
    if (type === undefined || (type as unknown) === Object) {
      throw new Error(
        `${owner.name}.${method}: the type of its @MessageBody() is erased, so nothing would be validated; use a class and import it as a value, not with "import type"`,
      );
    }
    bodies.push(typeof data === 'string' ? { kind: 'property', property: data } : { kind: 'whole', type });
  }
  return bodies;
}
