import { type CanActivate, Logger, type NestInterceptor, type PipeTransform } from '@nestjs/common';
import type { ApplicationConfig, ExternalContextCreator } from '@nestjs/core';
import { EnhancerFaults } from './enhancer-faults.js';
import { watchedGuard, watchedInterceptor, watchedPipe } from './watched-enhancers.js';

/** One of the creators inside Nest's `ExternalContextCreator`, by the method that lists its global enhancers. */
interface EnhancerSource<Enhancer> {
  readonly config?: ApplicationConfig;
  getGlobalMetadata(): readonly Enhancer[];
}

/** The creators, by the names of Nest's fields. */
interface EnhancerSources {
  readonly guardsContextCreator: EnhancerSource<CanActivate>;
  readonly interceptorsContextCreator: EnhancerSource<NestInterceptor>;
  readonly pipesContextCreator: EnhancerSource<PipeTransform>;
  readonly filtersContextCreator: EnhancerSource<unknown>;
}

/** Gives creators of handlers the application's global enhancers, or none. */
export class GlobalEnhancers {
  private readonly sources: EnhancerSources;
  private readonly logger = new Logger('GlobalEnhancers');
  private readonly faults = new EnhancerFaults(this.logger);

  constructor(contexts: ExternalContextCreator) {
    this.sources = contexts as unknown as EnhancerSources;
  }

  /** A creator whose handlers have no global enhancers. */
  without(contexts: ExternalContextCreator): ExternalContextCreator {
    const { sources } = this;
    return listing(contexts, {
      guardsContextCreator: none(sources.guardsContextCreator),
      interceptorsContextCreator: none(sources.interceptorsContextCreator),
      pipesContextCreator: none(sources.pipesContextCreator),
      filtersContextCreator: none(sources.filtersContextCreator),
    });
  }

  /**
   * A creator whose handlers have the global enhancers that Nest's own gateways have: guards, interceptors and pipes,
   * in Nest's order. The faults of these are noted. Request-scoped ones run on neither.
   */
  within(contexts: ExternalContextCreator): ExternalContextCreator {
    const { sources, faults } = this;
    return listing(contexts, {
      guardsContextCreator: each(sources.guardsContextCreator, (guard) => watchedGuard(guard, faults)),
      interceptorsContextCreator: each(sources.interceptorsContextCreator, (interceptor) =>
        watchedInterceptor(interceptor, faults),
      ),
      pipesContextCreator: each(sources.pipesContextCreator, (pipe) => watchedPipe(pipe, faults)),
      filtersContextCreator: none(sources.filtersContextCreator),
    });
  }

  /** Warns of guards, interceptors and pipes of the application that do not run on commands. */
  warnOfSkipped(): void {
    const { config } = this.sources.guardsContextCreator;
    if (!config) return;
    const skipped = [
      ...config.getGlobalRequestGuards(),
      ...config.getGlobalRequestInterceptors(),
      ...config.getGlobalRequestPipes(),
    ];
    if (skipped.length === 0) return;
    const names = skipped.map(({ metatype, name }) => metatype?.name ?? String(name));
    this.logger.warn(
      `${names.join(', ')}: request-scoped and transient APP_* providers do not run on commands, nor on messages of gateways; make them singletons, or put one that is on the handlers`,
    );
  }
}

function listing(contexts: ExternalContextCreator, sources: EnhancerSources): ExternalContextCreator {
  return Object.assign(Object.create(contexts) as ExternalContextCreator, sources);
}

function none<Enhancer>(source: EnhancerSource<Enhancer>): EnhancerSource<Enhancer> {
  return listingAs(source, () => []);
}

function each<Enhancer>(
  source: EnhancerSource<Enhancer>,
  watched: (enhancer: Enhancer) => Enhancer,
): EnhancerSource<Enhancer> {
  return listingAs(source, () => source.getGlobalMetadata().map(watched));
}

function listingAs<Enhancer>(
  source: EnhancerSource<Enhancer>,
  list: () => readonly Enhancer[],
): EnhancerSource<Enhancer> {
  return Object.assign(Object.create(source) as EnhancerSource<Enhancer>, { getGlobalMetadata: list });
}
