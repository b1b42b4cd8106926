import { Injectable, type Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

/** A method that carries a decorator. */
export interface DecoratedMethod {
  readonly instance: object;
  readonly class: Type<object>;
  readonly method: string;
  readonly callback: (...args: unknown[]) => unknown;
  /** The value that the decorator stored under the key. */
  readonly metadata: unknown;
}

/** Finds decorated methods of providers and controllers, once per class instance. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /**
   * @param skip classes that are left out
   * @throws Error when a class with such a method is request-scoped: handlers are built once, at boot.
   */
  *methodsWith(key: string, skip: (type: Type<object>) => boolean = () => false): Generator<DecoratedMethod> {
    const seen = new Set<object>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const instance = wrapper.instance as object | undefined;
      if (!instance || typeof instance !== 'object' || wrapper.isNotMetatype || seen.has(instance)) continue;
      seen.add(instance);
      if (skip(wrapper.metatype as Type<object>)) continue;
      const prototype = Object.getPrototypeOf(instance) as Record<string, DecoratedMethod['callback']> | null;
      if (!prototype) continue;
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        const callback = prototype[method]!;
        const metadata: unknown = Reflect.getMetadata(key, callback);
        if (metadata === undefined) continue;
        if (!wrapper.isDependencyTreeStatic()) {
          throw new Error(
            `${wrapper.name}.${method} handles events, so its class and what it injects must not be request-scoped: handlers are made once, at boot; take what belongs to a request from @CurrentCommand()`,
          );
        }
        yield { instance, class: wrapper.metatype as Type<object>, method, callback, metadata };
      }
    }
  }
}
