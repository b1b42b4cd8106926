import type {
  Abstract,
  ClassProvider,
  ExistingProvider,
  FactoryProvider,
  Type,
  ValueProvider,
} from '@nestjs/common';

/*
 * A bare provider accepts any implementation for any port: Nest notices only at run time, at the first call, that an
 * implementation lacks a method. These functions make the same providers, and the compiler checks that both fit.
 */

/** Binds a port to another provider of the module. */
export function bind<Port>(port: Abstract<Port>, provided: Abstract<Port>): ExistingProvider<Port> {
  return { provide: port, useExisting: provided };
}

/** Binds a port to a class that Nest makes for it. */
export function bindClass<Port>(port: Abstract<Port>, implementation: Type<Port>): ClassProvider<Port> {
  return { provide: port, useClass: implementation };
}

/** Binds a port to an object. */
export function bindValue<Port>(port: Abstract<Port>, value: Port): ValueProvider<Port> {
  return { provide: port, useValue: value };
}

/** Binds a port to an object that is made of other providers. */
export function bindFactory<Port, Parts extends readonly unknown[]>(
  port: Abstract<Port>,
  parts: { readonly [Index in keyof Parts]: Abstract<Parts[Index]> },
  make: (...parts: Parts) => Port | Promise<Port>,
): FactoryProvider<Port> {
  return { provide: port, inject: [...parts], useFactory: make };
}
