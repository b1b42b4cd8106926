/**
 * Waits for a promise, but not forever.
 *
 * @param ms how long to wait, milliseconds
 * @param explain makes the error of a wait that took too long; called only then
 * @throws the promise's rejection, or the explained error
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
