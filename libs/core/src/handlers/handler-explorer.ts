import { Injectable, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { GATEWAY_METADATA, MESSAGE_MAPPING_METADATA } from '@nestjs/websockets/constants.js';

/** A method that carries a decorator. */
export interface DecoratedMethod {
  readonly instance: object;
  readonly class: Type<object>;
  readonly method: string;
  readonly callback: (...args: unknown[]) => unknown;
  /** The value that the decorator stored under the key. */
  readonly metadata: unknown;
  /** True if the class was found among the controllers. */
  readonly controller: boolean;
}

/** Finds decorated methods of providers and controllers, once per class instance. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /**
   * @param isWanted leaves methods out, before anything is asked of them
   * @throws Error when a class with such a method is request-scoped: handlers are built once, at boot.
   */
  *methodsWith(
    key: string,
    isWanted: (method: DecoratedMethod) => boolean = () => true,
  ): Generator<DecoratedMethod> {
    const seen = new Set<object>();
    const controllers = this.discovery.getControllers();
    for (const wrapper of [...this.discovery.getProviders(), ...controllers]) {
      const instance = wrapper.instance as object | undefined;
      if (!instance || typeof instance !== 'object' || wrapper.isNotMetatype || seen.has(instance)) continue;
      seen.add(instance);
      for (const found of this.decorated(instance, key)) {
        const type = wrapper.metatype as Type<object>;
        const method = { ...found, instance, class: type, controller: controllers.includes(wrapper) };
        if (!isWanted(method)) continue;
        if (!wrapper.isDependencyTreeStatic()) throw new Error(requestScoped(method));
        yield method;
      }
    }
  }

  /** Finds the `@SubscribeMessage` methods that handle commands: Nest itself calls those of gateways. */
  commandMethods(): Generator<DecoratedMethod> {
    return this.methodsWith(
      MESSAGE_MAPPING_METADATA,
      ({ class: type }) => !Reflect.hasMetadata(GATEWAY_METADATA, type),
    );
  }

  private *decorated(
    instance: object,
    key: string,
  ): Generator<Pick<DecoratedMethod, 'method' | 'callback' | 'metadata'>> {
    const prototype = Object.getPrototypeOf(instance) as Record<string, DecoratedMethod['callback']> | null;
    if (!prototype) return;
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      const callback = prototype[method]!;
      const metadata: unknown = Reflect.getMetadata(key, callback);
      if (metadata !== undefined) yield { method, callback, metadata };
    }
  }
}

function requestScoped({ class: { name }, method, controller }: DecoratedMethod): string {
  const problem = `${name}.${method} handles events, so its class and what it injects must not be request-scoped: handlers are made once, at boot`;
  const remedy = 'take what belongs to a request from @CurrentCommand()';
  if (!controller) return `${problem}; ${remedy}`;
  return `${problem}; ${remedy}, and move the method to a provider if a request-scoped APP_* provider is the cause, which makes every controller request-scoped`;
}
