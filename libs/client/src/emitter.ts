/** Stops calling a listener. */
export type Unsubscribe = () => void;

/** @internal */
interface Listener<T> {
  onValue(value: T): void;
  /** Called when no more comes. */
  onEnd?(): void;
}

/**
 * Calls listeners in the order in which they were added; one that throws does not stop the others.
 * @internal
 */
export class Emitter<T> {
  private readonly listeners = new Set<Listener<T>>();
  private ended?: boolean;

  /** @param counted told of each listener that comes (1) or goes (-1) */
  constructor(private readonly counted?: (change: number) => void) {}

  listen(take: (value: T) => void, end?: () => void): Unsubscribe {
    const listener: Listener<T> = { onValue: take, onEnd: end };
    this.listeners.add(listener);
    this.counted?.(1);
    return () => {
      if (this.listeners.delete(listener)) this.counted?.(-1);
    };
  }

  /** Listeners that are removed meanwhile are not called any more. */
  emit(value: T): void {
    for (const listener of [...this.listeners]) {
      if (!this.listeners.has(listener)) continue;
      try {
        listener.onValue(value);
      } catch (error) {
        // Reported like any other uncaught error, outside of our own call stack.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Nothing more comes: iterators end when they have given the waiting values. */
  finish(): void {
    this.ended = true;
    for (const { onEnd: end } of this.listeners) end?.();
  }

  /** The values from this call on, until the signal says stop or no more can come. Values not yet taken are kept. */
  iterate(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    const waiting: T[] = [];
    let wake: () => void = () => undefined;
    const stop = this.listen(
      (value) => {
        waiting.push(value);
        wake();
      },
      () => wake(),
    );
    const release = (): void => {
      stop();
      wake();
    };
    signal?.addEventListener('abort', release);
    const isOver = (): boolean | undefined => signal?.aborted || (this.ended && waiting.length === 0);
    const values = (async function* (): AsyncGenerator<T, void, void> {
      try {
        yield undefined as T;
        while (!isOver()) {
          if (waiting.length > 0) yield waiting.shift()!;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        release();
      }
    })();
    // One that has begun cleans up when it is ended before its first value.
    void values.next();
    return values;
  }
}

/**
 * A value that changes, and calls listeners with the new one.
 * @internal
 */
export class Changing<T> extends Emitter<T> {
  constructor(
    public current: T,
    private readonly trace: ((kind: 'decided', what: unknown) => void) | undefined,
    count?: (change: number) => void,
  ) {
    super(count);
  }

  become(value: T): void {
    this.trace?.('decided', value);
    this.current = value;
    this.emit(value);
  }
}
