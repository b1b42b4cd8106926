import { type ArgumentsHost, type ContextType, Injectable } from '@nestjs/common';
import { ExternalContextCreator, ModuleRef, ModulesContainer } from '@nestjs/core';
import { GlobalEnhancers } from './global-enhancers.js';
import type { DecoratedMethod } from './handler-explorer.js';
import { HandlerExecution } from './handler-execution.js';
import { HandlerOptions } from './handler-options.js';
import { ShortWay } from './short-way.js';

/** How a handler is called. */
export interface HandlerCall {
  /** The kind of context that its guards, interceptors and filters see. */
  readonly type: 'ws' | 'rpc';
  /** Key of the metadata of the method's parameters. */
  readonly paramsKey: string;
  readonly params: Parameters<ExternalContextCreator['create']>[4];
  /** True for a handler of commands: the application's global enhancers run on these alone. */
  readonly commands: boolean;
}

/** A method with what runs around it. */
export type ReadyHandler = (...args: unknown[]) => Promise<unknown>;

/** A handler and how it is called. */
export interface DirectHandler {
  /** If it is not wrapped, it returns a value, a promise or an Observable, or throws. */
  readonly handler: (...args: unknown[]) => unknown;
  /** True if Nest's wrappers are around it, so that it returns a promise of its last value. */
  readonly isWrapped: boolean;
}

/**
 * Puts guards, pipes, interceptors and filters around handlers of providers and controllers.
 *
 * Nest's own creator looks for the module of a handler among the providers only. For a controller it finds none, and
 * then silently leaves out every guard, pipe, interceptor and filter that is named by its class. It also logs errors
 * that no filter handled; here the caller of the handler does that, since it knows the client.
 *
 * Of the application's global enhancers it adds the guards, interceptors and pipes, to handlers of commands, unless
 * {@link HandlerOptions} say otherwise. So a command has what a message of a gateway of Nest's has: global filters run
 * on neither.
 */
@Injectable()
export class HandlerContexts {
  private readonly plain: Readonly<Record<HandlerCall['type'], ExternalContextCreator>>;
  private readonly withGlobals: ExternalContextCreator;
  private readonly globals: GlobalEnhancers;
  private warned = false;

  constructor(
    contexts: ExternalContextCreator,
    modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
  ) {
    const own = (): ExternalContextCreator => creatorOf(contexts, modules);
    this.globals = new GlobalEnhancers(contexts);
    this.plain = { ws: this.globals.without(own()), rpc: this.globals.without(own()) };
    this.withGlobals = this.globals.within(own());
  }

  /** Returns the method as it is called with the arguments that its parameters are taken from. */
  create(found: DecoratedMethod, call: HandlerCall): ReadyHandler {
    return wrapped(this.creatorFor(call), found, call);
  }

  /** Like {@link create}, without wrappers where no guard, pipe, interceptor or filter runs around the method. */
  createDirect(found: DecoratedMethod, call: HandlerCall): DirectHandler {
    const short = new ShortWay();
    const handler = wrapped(short.watch(this.creatorFor(call)), found, call);
    const direct = this.option('wrapsAll', false) ? undefined : short.handler(found);
    return { handler: direct ?? handler, isWrapped: !direct };
  }

  private creatorFor({ type, commands }: HandlerCall): ExternalContextCreator {
    if (!commands || !this.option('globalEnhancers', true)) return this.plain[type];
    if (!this.warned) this.globals.warnOfSkipped();
    this.warned = true;
    return this.withGlobals;
  }

  private option(name: keyof HandlerOptions, byDefault: boolean): boolean {
    try {
      return this.moduleRef.get(HandlerOptions, { strict: false })[name] ?? byDefault;
    } catch {
      return byDefault;
    }
  }
}

function wrapped(
  creator: ExternalContextCreator,
  { instance, callback, method }: DecoratedMethod,
  { paramsKey, params, type }: HandlerCall,
): ReadyHandler {
  return creator.create(
    instance,
    callback,
    method,
    paramsKey,
    params,
    undefined,
    undefined,
    undefined,
    type,
  ) as ReadyHandler;
}

/** The field in which Nest's creator keeps what it has read of methods. */
interface ReadMethods {
  readonly handlerMetadataStorage: { readonly constructor: new () => object };
}

/**
 * Makes a creator that finds controllers too, and does not log. Nest 11 keeps what it has read of a method under its name
 * alone, with the kind of its first arguments, so each kind of handlers has a creator with a memory of its own.
 */
function creatorOf(contexts: ExternalContextCreator, modules: ModulesContainer): ExternalContextCreator {
  const { handlerMetadataStorage: read } = contexts as unknown as ReadMethods;
  const own = Object.create(contexts) as ExternalContextCreator;
  own.getContextModuleKey = (owner) =>
    contexts.getContextModuleKey(owner) || moduleOfController(modules, owner);
  return Object.assign(own, {
    externalErrorProxy: { createProxy: filtered },
    handlerMetadataStorage: new read.constructor(),
  });
}

/** The filters around a handler, as Nest's context creator makes them. */
interface Filters {
  /** @returns a filter's answer; undefined if none handles the error. */
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

/** Nest's `ExternalErrorProxy.createProxy` without the log: errors that no filter handles are thrown as they are. */
function filtered(handler: ReadyHandler, filters: Filters, type: ContextType): ReadyHandler {
  return async (...args) => {
    try {
      return await handler(...args);
    } catch (error) {
      const answer = await filters.invokeCustomFilters(error, new HandlerExecution(type, args));
      // Where no filter handles the error, Nest 12 answers undefined and Nest 11 null.
      if (answer === undefined || answer === null) throw error;
      return answer;
    }
  };
}

function moduleOfController(modules: ModulesContainer, owner: unknown): string {
  for (const [key, { controllers }] of modules) {
    for (const { metatype } of controllers.values()) if (metatype === owner) return key;
  }
  return '';
}
