/** Stops calling a listener. */
export type Unsubscribe = () => void;

/**
 * Calls listeners in the order in which they were added; one that throws does not stop the others.
 * @internal
 */
export class Emitter<T> {
  /** What to call when no more comes stands with each listener. */
  private readonly listeners = new Map<(value: T) => void, (() => void) | undefined>();
  private ended = false;

  on(listener: (value: T) => void, onEnd?: () => void): Unsubscribe {
    this.listeners.set(listener, onEnd);
    return () => void this.listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of [...this.listeners.keys()]) {
      try {
        listener(value);
      } catch (error) {
        // Reported like any other uncaught error, outside of our own call stack.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Nothing more comes: iterators end when they have given what is waiting. */
  end(): void {
    this.ended = true;
    for (const onEnd of this.listeners.values()) onEnd?.();
  }

  /** The values from this call on, until the signal says stop or no more can come. What is not taken yet is kept. */
  iterate(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    const waiting: T[] = [];
    let wake: () => void = () => undefined;
    const stop = this.on(
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
    return (async function* (): AsyncGenerator<T, void, void> {
      try {
        while (!isOver()) {
          if (waiting.length > 0) yield waiting.shift()!;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal?.removeEventListener('abort', release);
        stop();
      }
    })();
  }
}

/**
 * The emitter of a name, made when it is first asked for.
 * @internal
 */
export function emitterOf<T>(emitters: Map<string, Emitter<never>>, name: string): Emitter<T> {
  let emitter = emitters.get(name);
  if (!emitter) emitters.set(name, (emitter = new Emitter()));
  return emitter as unknown as Emitter<T>;
}
