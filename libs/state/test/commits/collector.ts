/** Messages that came and were not taken. */
export interface Collected {
  readonly messages: string[];
  /** Takes the next ones, when they are there. */
  next(count: number): Promise<string[]>;
}

/** Collects messages and waits for a number of them. */
export function collector(): Collected & { add(message: string): void } {
  const messages: string[] = [];
  let wake: () => void = () => undefined;
  return {
    messages,
    add(message) {
      messages.push(message);
      wake();
    },
    async next(count) {
      while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return messages.splice(0, count);
    },
  };
}
