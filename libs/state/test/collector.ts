/** Collects messages and waits for a number of them. */
export function collector(): {
  messages: string[];
  add(message: string): void;
  next(count: number): Promise<string[]>;
} {
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
