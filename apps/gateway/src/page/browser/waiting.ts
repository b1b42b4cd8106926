/** The commands of this page that have no answer yet, by room. */
export class Unanswered {
  private readonly byRoom = new Map<string, number>();
  private readonly listeners: (() => void)[] = [];

  constructor() {
    // Leaving the page would lose them: a page that is loaded again is another session.
    window.addEventListener('beforeunload', (event) => {
      if (this.total > 0) event.preventDefault();
    });
  }

  get total(): number {
    return [...this.byRoom.values()].reduce((sum, each) => sum + each, 0);
  }

  in(room: string): number {
    return this.byRoom.get(room) ?? 0;
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Counts a command until it is answered. */
  async during<T>(room: string, work: Promise<T>): Promise<T> {
    this.change(room, 1);
    try {
      return await work;
    } finally {
      this.change(room, -1);
    }
  }

  private change(room: string, by: number): void {
    this.byRoom.set(room, this.in(room) + by);
    for (const listener of this.listeners) listener();
  }
}

/** A command waits for a node as long as it takes. */
export const PATIENT = { timeoutMs: Infinity };
