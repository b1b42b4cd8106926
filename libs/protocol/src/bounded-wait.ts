/**
 * Waits for a promise, but no longer than this, ms. A promise that is too late may reject: nobody hears of it.
 * @returns whether it was settled in time
 * @throws what it rejects with in time
 */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
