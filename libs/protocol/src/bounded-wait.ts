/** Parts of a wait: a stall of this process counts as no more than one of them. */
const PARTS = 4;

/**
 * Waits for a promise, but no longer than this, ms. Messages that came while this process was busy still lie in its sockets:
 * such time counts for a quarter of the wait at most, and the sockets are read once more before the wait is over. A
 * promise that is too late may reject: nobody hears of it.
 * @param over ends the wait at once when it is aborted
 * @returns whether it was settled in time
 * @throws what it rejects with in time
 */
export function settledWithin(promise: Promise<unknown>, ms: number, over?: AbortSignal): Promise<boolean> {
  return settled(promise, startTimer, { ms, over });
}

/**
 * Waits like {@link settledWithin}, and does not keep the process alive for it: for a wait that matters only while
 * something else lives, such as a client's connection.
 */
export function settledMeanwhile(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const start: StartTimer = (after, run) => {
    const timer = setTimeout(run, after);
    // Timers of browsers are numbers, which keep nothing alive.
    (timer as { unref?(): unknown }).unref?.();
    return timer;
  };
  return settled(promise, start, { ms });
}

type StartTimer = (ms: number, run: () => void) => ReturnType<typeof setTimeout>;

const startTimer: StartTimer = (ms, run) => setTimeout(run, ms);

async function settled(
  promise: Promise<unknown>,
  start: StartTimer,
  { ms, over }: { readonly ms: number; readonly over?: AbortSignal | undefined },
): Promise<boolean> {
  let timer: ReturnType<StartTimer> | undefined;
  let end = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    end = () => resolve(false);
    const pass = (parts: number): void => {
      // Timers run before sockets are read; after another timer they have been.
      timer = start(parts === 0 ? 0 : ms / PARTS, () => (parts === 0 ? resolve(false) : pass(parts - 1)));
    };
    pass(PARTS);
  });
  over?.addEventListener('abort', end);
  if (over?.aborted) end();
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    over?.removeEventListener('abort', end);
  }
}
