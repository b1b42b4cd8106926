import type { Type } from '@nestjs/common';

/** A method whose result is a `T`, to which a decorator may be applied. */
type MethodDecoratorFor<T> = <M extends (...args: never[]) => T | Promise<T>>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/** Type of a handler's reply: a class with class-validator rules, a primitive, or nothing. */
export type ReplyType = Type<object> | StringConstructor | NumberConstructor | BooleanConstructor | null;

const REPLY = Symbol('wss:reply');
const PRIMITIVES = new Set<unknown>([String, Number, Boolean]);

/**
 * Names the class of a handler's reply for the contract; `null` if the reply is `"data":null`.
 *
 * It is needed if TypeScript erases the type, as in `Promise<Voted>`; a method that returns a class without a promise
 * does not need it. The compiler refuses a class that does not fit the method's result.
 */
export function Reply<T extends object>(type: Type<T>): MethodDecoratorFor<T>;
export function Reply(type: null): MethodDecoratorFor<void | null | undefined>;
export function Reply(type: Type<object> | null) {
  return (_target: object, _method: string | symbol, descriptor: TypedPropertyDescriptor<never>): void => {
    Reflect.defineMetadata(REPLY, type, descriptor.value as unknown as object);
  };
}

/** Returns the type of a handler's reply; `undefined` if neither `@Reply` nor its return type names it. */
export function replyTypeOf(prototype: object, method: string): ReplyType | undefined {
  const callback = (prototype as Record<string, object>)[method]!;
  const declared = Reflect.getMetadata(REPLY, callback) as ReplyType | undefined;
  if (declared !== undefined) return declared;
  const returned: unknown = Reflect.getMetadata('design:returntype', prototype, method);
  if (PRIMITIVES.has(returned)) return returned as ReplyType;
  const erased = typeof returned !== 'function' || ERASED.has(returned);
  return erased ? undefined : (returned as Type<object>);
}

const ERASED = new Set<unknown>([Object, Promise, Array, Function]);
