import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Injectable,
  type NestInterceptor,
  type CallHandler,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { WsException } from '@nestjs/websockets';
import type { Random } from '@wss/testing';
import { catchError, map, type Observable, of, tap } from 'rxjs';

/** Kinds of enhancers, each with the token that makes it global. */
export const TOKENS = {
  guard: APP_GUARD,
  interceptor: APP_INTERCEPTOR,
  pipe: APP_PIPE,
  filter: APP_FILTER,
} as const;
export type Kind = keyof typeof TOKENS;
export const KINDS = Object.keys(TOKENS) as Kind[];

/** Places that an enhancer is put at: five that make it global, and two of the handler. */
export const GLOBAL_PLACES = [
  'app-class',
  'app-value',
  'app-request',
  'app-transient',
  'use-global',
] as const;
export const OWN_PLACES = ['class', 'method'] as const;
type Place = (typeof GLOBAL_PLACES)[number] | (typeof OWN_PLACES)[number];

/** The behavior of an enhancer; one that passes only notes that it ran. */
type Deed = 'pass' | 'deny' | 'throw' | 'fail' | 'cut' | 'catch';

const DEEDS: Readonly<Record<Kind, readonly Deed[]>> = {
  guard: ['deny', 'throw', 'fail'],
  interceptor: ['throw', 'fail', 'cut', 'catch'],
  pipe: ['throw', 'fail'],
  filter: ['catch'],
};

/** One enhancer, before there is a class. */
export interface PlannedEnhancer {
  readonly name: string;
  readonly kind: Kind;
  readonly place: Place;
  readonly deed: Deed;
  /** True if its answers come later, from a promise or an Observable. */
  readonly late: boolean;
  /**
   * Of a filter: true if it does not catch every error. Where a guard says no, Nest's gateways throw a `WsException`, the
   * router a `ForbiddenException`, which becomes `forbidden`; this filter catches both.
   */
  readonly narrow: boolean;
}

/** How answers look where the enhancers run. */
export interface World {
  readonly note: (line: string) => void;
  /** A handler's result with this text. */
  wrap(text: string): unknown;
  /** The text of a handler's result. */
  unwrap(result: unknown): string;
  /** Answers a filter's client with this text; the result is the filter's. */
  answer(text: string, host: ArgumentsHost): unknown;
}

/** An enhancer that changes nothing but what is noted and said; as a filter it answers every error. */
export function passing(kind: Kind, place: Place): PlannedEnhancer {
  const deed = kind === 'filter' ? 'catch' : 'pass';
  return { name: `${kind} ${place}`, kind, place, deed, late: false, narrow: false };
}

/** Up to `most` random enhancers at these places. */
export function planned(random: Random, places: readonly Place[], most: number): PlannedEnhancer[] {
  return Array.from({ length: random.below(most + 1) }, () => {
    const kind = random.pick(KINDS);
    const place = random.pick(places);
    const deed = kind === 'filter' || random.below(6) === 0 ? random.pick(DEEDS[kind]) : 'pass';
    const name = `${kind} ${place} ${random.below(1_000_000)}`;
    return { name, kind, place, deed, late: random.below(2) === 0, narrow: random.below(2) === 0 };
  });
}

/** Makes the class of a planned enhancer. */
export function classOf(plan: PlannedEnhancer, world: World): Type<object> {
  if (plan.kind === 'guard') return guardOf(plan, world);
  if (plan.kind === 'interceptor') return interceptorOf(plan, world);
  if (plan.kind === 'pipe') return pipeOf(plan, world);
  return filterOf(plan, world);
}

function guardOf({ name, deed, late }: PlannedEnhancer, { note }: World): Type<CanActivate> {
  @Injectable()
  class PlannedGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean | Promise<boolean> | Observable<boolean> {
      note(`${name} in ${context.getType()} of ${context.getHandler().name}`);
      if (late)
        return deed === 'deny' ? of(false) : Promise.resolve().then(() => (misbehave(deed, name), true));
      misbehave(deed, name);
      return deed !== 'deny';
    }
  }
  return PlannedGuard;
}

function interceptorOf({ name, deed, late }: PlannedEnhancer, world: World): Type<NestInterceptor> {
  @Injectable()
  class PlannedInterceptor implements NestInterceptor {
    intercept(
      context: ExecutionContext,
      next: CallHandler,
    ): Observable<unknown> | Promise<Observable<unknown>> {
      world.note(`${name} in ${context.getType()}`);
      if (!late) misbehave(deed, name);
      const results = deed === 'cut' ? of(world.wrap(`cut by ${name}`)) : next.handle().pipe(this.around());
      return late ? Promise.resolve(results) : results;
    }

    private around() {
      return (results: Observable<unknown>): Observable<unknown> =>
        results.pipe(
          tap({ next: () => world.note(`${name} after`), error: () => world.note(`${name} after an error`) }),
          map((result) => {
            if (late) misbehave(deed, name);
            return world.wrap(`${world.unwrap(result)}, ${name}`);
          }),
          catchError((error: Error) => {
            if (deed !== 'catch') throw error;
            return of(world.wrap(`caught by ${name}`));
          }),
        );
    }
  }
  return PlannedInterceptor;
}

function pipeOf({ name, deed, late }: PlannedEnhancer, { note }: World): Type<PipeTransform> {
  @Injectable()
  class PlannedPipe implements PipeTransform<string> {
    transform(value: string): string | Promise<string> {
      note(name);
      if (late) return Promise.resolve().then(() => (misbehave(deed, name), `${value}, ${name}`));
      misbehave(deed, name);
      return `${value}, ${name}`;
    }
  }
  return PlannedPipe;
}

function filterOf({ name, narrow }: PlannedEnhancer, { note, answer }: World): Type<ExceptionFilter> {
  @Catch(...(narrow ? [WsException, ForbiddenException] : []))
  class PlannedFilter implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost): unknown {
      note(`${name} in ${host.getType()}`);
      return answer(`filtered by ${name}`, host);
    }
  }
  return PlannedFilter;
}

/** Throws an error that is meant for the client, or one that is not. */
export function misbehave(deed: Deed, name: string): void {
  if (deed === 'throw') throw new WsException(`refused by ${name}`);
  if (deed === 'fail') throw new TypeError(`secret of ${name}`);
}
