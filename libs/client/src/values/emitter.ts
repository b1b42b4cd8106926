import type { DebugListener } from './types.js';

type DebugKind = Parameters<DebugListener>[0];

/** Stops calling a listener. */
export type Unsubscribe = () => void;

/**
 * The status of a client.
 * @internal
 */
interface Life {
  readonly current: { readonly state: string };
  listen(listener: () => void): Unsubscribe;
}

/** Calls of the application's functions that are due. */
const due: (() => void)[] = [];

function callLater(call: () => void): void {
  if (due.push(call) === 1) queueMicrotask(callDue);
}

/**
 * Calls the application's functions after the client's own work, so that they find everything done and may do
 * anything themselves. A function that throws is reported like any other uncaught error, and does not stop the
 * others.
 * @internal
 */
export function callDue(): void {
  for (let call; (call = due.shift());) {
    try {
      call();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/**
 * Tells a debugger, if there is one, without the tokens.
 * @internal
 */
export function trace(debug: DebugListener | undefined, kind: DebugKind, what: unknown): void {
  if (debug) callLater(() => debug(kind, typeof what === 'string' ? what.replace(TOKENS, '$1…') : what));
}

/** A token as JSON, but for its closing quote. */
const TOKENS = /("token":")(\\.|[^\\"])*/g;

/**
 * Calls back once, when the signal is aborted; at once, if it is.
 * @returns how to stop that
 * @internal
 */
export function onAbort(signal: AbortSignal | undefined, work: () => void): Unsubscribe {
  if (signal?.aborted) work();
  else signal?.addEventListener('abort', work);
  return () => signal?.removeEventListener('abort', work);
}

/**
 * Calls listeners in the order in which they were added.
 * @internal
 */
export class Emitter<T> {
  private readonly listeners = new Set<(value: T) => void>();

  /** @param counted called for each listener that comes (1) or goes (-1) */
  constructor(private readonly counted?: (change: number) => void) {}

  listen(take: (value: T) => void): Unsubscribe {
    const listener = (value: T): void => take(value);
    this.listeners.add(listener);
    this.counted?.(1);
    return () => {
      if (this.listeners.delete(listener)) this.counted?.(-1);
    };
  }

  /** Listeners that are removed meanwhile are not called any more. */
  emit(value: T): void {
    for (const listener of this.listeners) {
      callLater(() => {
        if (this.listeners.has(listener)) listener(value);
      });
    }
  }

  /**
   * The values from this call on, until the signal says stop or the client has ended. Values not yet taken are kept.
   * @param life the client's status
   */
  iterate(life: Life, signal?: AbortSignal): AsyncGenerator<T, void, void> {
    const waiting: T[] = [];
    let wake: (() => void) | undefined;
    let isOver = false;
    const finish = (): void => {
      isOver = true;
      for (const stop of stops) stop();
      wake?.();
    };
    const stop = (): void => {
      waiting.length = 0;
      finish();
    };
    const check = (): void => {
      if (life.current.state === 'closed') finish();
    };
    const stops = [
      this.listen((value) => {
        waiting.push(value);
        wake?.();
      }),
      // After the listener above: the last status comes before the end.
      life.listen(check),
    ];
    stops.push(onAbort(signal, stop));
    check();
    const values = (async function* (): AsyncGenerator<T, void, void> {
      for (;;) {
        if (waiting.length > 0) yield waiting.shift()!;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    })();
    // A generator that waits would be ended after its next value only, and one that has not begun never learn of it.
    const end = values.return.bind(values);
    values.return = () => {
      stop();
      return end();
    };
    return values;
  }
}

/**
 * The value of a key; made, if there is none.
 * @internal
 */
export function emplace<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  if (!map.has(key)) map.set(key, make());
  return map.get(key)!;
}

/**
 * A value that changes, and calls listeners with the new one.
 * @internal
 */
export class Changing<T> extends Emitter<T> {
  constructor(
    public current: T,
    private readonly tracer?: DebugListener,
    count?: (change: number) => void,
  ) {
    super(count);
  }

  become(value: T): void {
    trace(this.tracer, 'decided', value);
    this.current = value;
    this.emit(value);
  }
}
