/** Stops calling a listener. */
export type Unsubscribe = () => void;

/** Calls listeners in the order in which they were added; one that throws does not stop the others. */
export class Emitter<T> {
  private readonly listeners = new Set<(value: T) => void>();

  on(listener: (value: T) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of [...this.listeners]) {
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

  /** The values from now on, until the signal says stop. What is not taken yet is kept. */
  async *iterate(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    const waiting: T[] = [];
    let wake: () => void = () => undefined;
    const off = this.on((value) => {
      waiting.push(value);
      wake();
    });
    const stop = (): void => wake();
    signal?.addEventListener('abort', stop);
    try {
      while (!signal?.aborted) {
        if (waiting.length > 0) yield waiting.shift()!;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      off();
      signal?.removeEventListener('abort', stop);
    }
  }
}
