import type {
  CallHandler,
  CanActivate,
  ExecutionContext,
  NestInterceptor,
  PipeTransform,
} from '@nestjs/common';
import { isObservable, lastValueFrom, Observable, tap } from 'rxjs';
import type { EnhancerFaults } from './enhancer-faults.js';

/** Returns a guard that does what the given one does, and notes its faults. A guard that is none stays as it is. */
export function watchedGuard(guard: CanActivate, faults: EnhancerFaults): CanActivate {
  if (typeof guard?.canActivate !== 'function') return guard;
  return {
    canActivate(context: ExecutionContext) {
      const view = new WatchedContext(context);
      const judge = (allowed: boolean): boolean => {
        if (!allowed && view.askedForHttp) faults.refused(guard, 'guard');
        return allowed;
      };
      return watched(
        () => settled(guard.canActivate(view.context), judge),
        (error) => faults.threw(guard, 'guard', { error, askedForHttp: view.askedForHttp }),
      );
    },
  };
}

/** Returns a pipe that does what the given one does, and notes its faults. */
export function watchedPipe(pipe: PipeTransform, faults: EnhancerFaults): PipeTransform {
  if (typeof pipe?.transform !== 'function') return pipe;
  return {
    transform: (value: unknown, metadata) =>
      watched(
        () => pipe.transform(value, metadata) as unknown,
        (error) => faults.threw(pipe, 'pipe', { error }),
      ),
  };
}

/** Returns an interceptor that does what the given one does, and notes its own faults, not those from below. */
export function watchedInterceptor(interceptor: NestInterceptor, faults: EnhancerFaults): NestInterceptor {
  if (typeof interceptor?.intercept !== 'function') return interceptor;
  return {
    intercept(context, next) {
      const view = new WatchedContext(context);
      const below = new Below(next);
      const judge = (error: unknown): void => {
        if (below.threw(error)) return;
        faults.threw(interceptor, 'interceptor', { error, askedForHttp: view.askedForHttp });
      };
      return watched(async () => {
        const results = await interceptor.intercept(view.context, below);
        return isObservable(results) ? results.pipe(tap({ error: judge })) : results;
      }, judge) as Promise<Observable<unknown>>;
    },
  };
}

/** The context of a command, which notes that somebody takes it for an HTTP request's. */
class WatchedContext {
  readonly context: ExecutionContext;
  askedForHttp = false;

  constructor(context: ExecutionContext) {
    this.context = Object.assign(Object.create(context) as ExecutionContext, {
      switchToHttp: () => {
        this.askedForHttp = true;
        return context.switchToHttp();
      },
    });
  }
}

/** The handler below an interceptor, which knows the errors that came from there. */
class Below implements CallHandler {
  private readonly errors: unknown[] = [];

  constructor(private readonly next: CallHandler) {}

  handle(): Observable<unknown> {
    return this.next.handle().pipe(tap({ error: (error: unknown) => void this.errors.push(error) }));
  }

  threw(error: unknown): boolean {
    return this.errors.includes(error);
  }
}

/** Reports what the work throws, now or later, and throws it on. */
function watched<T>(work: () => T, report: (error: unknown) => void): T {
  const rethrow = (error: unknown): never => {
    report(error);
    throw error;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(rethrow) as T) : result;
  } catch (error) {
    return rethrow(error);
  }
}

/** Judges a guard's answer once it is there; at once if it is. */
function settled(
  answer: ReturnType<CanActivate['canActivate']>,
  judge: (allowed: boolean) => boolean,
): boolean | Promise<boolean> {
  if (typeof answer === 'boolean') return judge(answer);
  return Promise.resolve(answer)
    .then((value: unknown) => (isObservable(value) ? lastValueFrom(value as Observable<boolean>) : value))
    .then((allowed) => judge(allowed as boolean));
}
