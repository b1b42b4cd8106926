import type { ExternalContextCreator } from '@nestjs/core';

/** A method and its object. */
interface Method {
  readonly instance: object;
  readonly callback: (...args: unknown[]) => unknown;
}

/** One parameter as Nest has read it. */
interface ReadParam {
  readonly index: number;
  readonly pipes?: readonly unknown[];
  extractValue(...args: unknown[]): unknown;
}

/** The parts of Nest's creator that find what runs around a handler. */
interface Finding {
  readonly guardsContextCreator: ListSource;
  readonly interceptorsContextCreator: ListSource;
  readonly pipesContextCreator: ListSource;
  readonly externalErrorProxy: {
    createProxy(handler: unknown, filters: { readonly filters?: unknown }, type: unknown): unknown;
  };
  exchangeKeysForValues(...args: unknown[]): readonly ReadParam[];
}

interface ListSource {
  create(...args: unknown[]): readonly unknown[];
}

/**
 * Watches what Nest's creator finds for a handler. If that is nothing, the handler needs none of Nest's wrappers, each of
 * which makes promises and Observables for each call.
 */
export class ShortWay {
  private enhancers = 0;
  private params: readonly ReadParam[] | undefined;
  private filters: unknown;

  /** The same creator, watched. */
  watch(contexts: ExternalContextCreator): ExternalContextCreator {
    const creator = contexts as unknown as Finding;
    const own: Finding = {
      guardsContextCreator: this.counted(creator.guardsContextCreator),
      interceptorsContextCreator: this.counted(creator.interceptorsContextCreator),
      pipesContextCreator: this.counted(creator.pipesContextCreator),
      externalErrorProxy: {
        createProxy: (handler, filters, type) => {
          this.filters = filters.filters;
          return creator.externalErrorProxy.createProxy(handler, filters, type);
        },
      },
      exchangeKeysForValues: (...args) => (this.params = creator.exchangeKeysForValues(...args)),
    };
    return Object.assign(Object.create(contexts) as ExternalContextCreator, own);
  }

  private counted(source: ListSource): ListSource {
    return Object.assign(Object.create(source) as ListSource, {
      create: (...args: unknown[]) => {
        const found = source.create(...args);
        this.enhancers += found.length;
        return found;
      },
    });
  }

  /**
   * Returns the handler without wrappers; undefined if something runs around it. It returns, or throws at once, what the
   * method does, also a promise or an Observable.
   */
  handler({ instance, callback }: Method): ((...args: unknown[]) => unknown) | undefined {
    const { params } = this;
    const hasFilters = !Array.isArray(this.filters) || this.filters.length > 0;
    if (this.enhancers > 0 || hasFilters || !params || !params.every(isBare)) return undefined;
    if (params.length === 0) return (...args) => callback.apply(instance, args);
    return readingCall({ instance, callback }, params);
  }
}

function readingCall({ instance, callback }: Method, params: readonly ReadParam[]): Method['callback'] {
  const empty = Array.from({ length: Math.max(...params.map(({ index }) => index)) + 1 });
  return (...args) => {
    const values = empty.slice();
    if (read(params, args, values)) return callback.apply(instance, values);
    return Promise.all(values).then((known) => callback.apply(instance, known));
  };
}

/** True for a value that has to be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

function isBare({ pipes }: ReadParam): boolean {
  return Array.isArray(pipes) && pipes.length === 0;
}

/**
 * Reads the values of all parameters, even behind one that can't be read, as Nest does.
 * @returns true if none has to be awaited
 * @throws what the first one that can't be read throws
 */
function read(params: readonly ReadParam[], args: unknown[], values: unknown[]): boolean {
  let failure: { readonly error: unknown } | undefined;
  let isReady = true;
  for (const param of params) {
    try {
      const value = param.extractValue(...args);
      values[param.index] = value;
      isReady &&= !isThenable(value);
    } catch (error) {
      failure ??= { error };
    }
  }
  if (!failure) return isReady;
  // Nobody waits for the others any more, so their failures must not be told as unhandled.
  if (!isReady) void Promise.allSettled(values);
  throw failure.error;
}
