import { Injectable } from '@nestjs/common';
import { ExternalContextCreator, ModulesContainer } from '@nestjs/core';

/**
 * Puts guards, pipes, interceptors and filters around handlers of providers and controllers.
 *
 * Nest's own creator looks for the module of a handler among the providers only. For a controller it finds none, and
 * then leaves out, without a word, every guard, pipe, interceptor and filter that is named by its class.
 */
@Injectable()
export class HandlerContexts {
  private readonly contexts: ExternalContextCreator;

  constructor(contexts: ExternalContextCreator, modules: ModulesContainer) {
    this.contexts = Object.create(contexts) as ExternalContextCreator;
    this.contexts.getContextModuleKey = (owner) =>
      contexts.getContextModuleKey(owner) || moduleOfController(modules, owner);
  }

  /** Nest's `ExternalContextCreator.create`. */
  get create(): ExternalContextCreator['create'] {
    return this.contexts.create.bind(this.contexts) as ExternalContextCreator['create'];
  }
}

function moduleOfController(modules: ModulesContainer, owner: unknown): string {
  for (const [key, { controllers }] of modules) {
    for (const { metatype } of controllers.values()) if (metatype === owner) return key;
  }
  return '';
}
