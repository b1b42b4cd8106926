import { Injectable } from '@nestjs/common';
import type { ArgumentsHost, ContextType } from '@nestjs/common';
import { ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { HandlerExecution } from './handler-execution.js';

/**
 * Puts guards, pipes, interceptors and filters around handlers of providers and controllers.
 *
 * Nest's own creator looks for the module of a handler among the providers only. For a controller it finds none, and
 * then silently leaves out every guard, pipe, interceptor and filter that is named by its class. It also logs errors
 * that no filter handled; here the caller of the handler does that, since it knows the client.
 */
@Injectable()
export class HandlerContexts {
  private readonly contexts: ExternalContextCreator;

  constructor(contexts: ExternalContextCreator, modules: ModulesContainer) {
    this.contexts = Object.create(contexts) as ExternalContextCreator;
    this.contexts.getContextModuleKey = (owner) =>
      contexts.getContextModuleKey(owner) || moduleOfController(modules, owner);
    Object.defineProperty(this.contexts, 'externalErrorProxy', { value: { createProxy: filtered } });
  }

  /** Nest's `ExternalContextCreator.create`. */
  get create(): ExternalContextCreator['create'] {
    return this.contexts.create.bind(this.contexts) as ExternalContextCreator['create'];
  }
}

type AnyHandler = (...args: unknown[]) => unknown;

/** The filters around a handler, as Nest's context creator makes them. */
interface Filters {
  /** @returns a filter's answer; undefined if none handles the error. */
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

/** Nest's `ExternalErrorProxy.createProxy` without the log: errors that no filter handles are thrown as they are. */
function filtered(handler: AnyHandler, filters: Filters, type: ContextType): AnyHandler {
  return async (...args) => {
    try {
      return await handler(...args);
    } catch (error) {
      const answer = filters.invokeCustomFilters(error, new HandlerExecution(type, args));
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
