/** Signals that ask a process to end. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export type StopSignal = (typeof SIGNALS)[number];

/** Reacts to a signal that asks the process to end; `count` is 1 for the first. */
export type StopListener = (signal: StopSignal, count: number) => void;

/**
 * Hears SIGTERM and SIGINT from its construction on. A process with the id 1, as in a container, ignores signals
 * without a listener, so this file imports nothing and is the first that a node loads. Until {@link handOver}, either
 * signal ends the process at once with code 0, since nothing has begun.
 */
export class StopSignals {
  private listener: StopListener = () => process.exit(0);
  private count = 0;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => this.listener(signal, ++this.count));
  }

  /** Passes the signals to a listener from now on. */
  handOver(listener: StopListener): void {
    this.listener = listener;
  }
}
