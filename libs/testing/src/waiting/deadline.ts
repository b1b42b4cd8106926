/**
 * Waits for a promise, but not forever.
 *
 * @param ms how long to wait, milliseconds
 * @param explain makes the error of a wait that took too long; called then only
 * @throws what the promise rejects with, or the explained error
 */
export async function within<T>(promise: Promise<T>, ms: number, explain: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(explain()), ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
