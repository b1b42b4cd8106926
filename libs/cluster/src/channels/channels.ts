/** Called with each message of a channel. */
export type MessageListener = (message: string) => void;

/** Hears of channels whose subscriptions are interrupted. */
export interface ReturnCallbacks {
  /** These may not be heard any more. */
  lost(channels: readonly string[]): void;
  /** These are about to be subscribed again. */
  returning(channels: readonly string[]): void;
  /** The engine refuses these, though it can be reached; it will be tried again. */
  refused(channels: readonly string[]): void;
}

/**
 * Messages between nodes: at most once, per channel in order of publication. Data that must not be lost has a log of
 * its own; channels only announce it early.
 */
export abstract class Channels {
  /**
   * Calls the listener for every message from now on; resolves when no later one can be missed while the link holds.
   * @throws Error when the engine refuses or can't be reached in time; nothing is subscribed then.
   */
  abstract subscribe(channel: string, listener: MessageListener): Promise<void>;

  /**
   * Calls the listener for every message as soon and as long as the engine can be reached, whatever happens to links
   * in between, until it is unsubscribed.
   * @returns resolves when the channel is heard for the first time, however late, or is unsubscribed before; never
   *   rejects
   */
  abstract keep(channel: string, listener: MessageListener): Promise<void>;

  /** Stops calling this listener. */
  abstract unsubscribe(channel: string, listener: MessageListener): void;

  /**
   * Publishes a message to every subscriber of every node, this one included.
   * @throws Error when the engine can't be reached.
   */
  abstract publish(channel: string, message: string): Promise<void>;

  /** Calls back whenever interrupted subscriptions hold again: messages of these channels may be missing. */
  abstract onInterruption(callback: (channels: Pick<ReadonlySet<string>, 'has'>) => void): void;

  /** Calls back when subscriptions are interrupted, and before any message can come over a link that was. */
  onReturn(_callbacks: ReturnCallbacks): void {
    // Without links there are no interruptions.
  }

  /**
   * Resolves when everything that was published before now has been heard, after this process stood still; undefined if it
   * did not, and everything is heard as it comes. Ask again when it has resolved.
   */
  get behind(): Promise<void> | undefined {
    return undefined;
  }

  /** Stops watching the process. */
  close(): void {
    // Without links nothing is watched.
  }

  /** Says what is wrong with the subscriptions; `undefined` while the engine refuses none. */
  problem(): string | undefined {
    return undefined;
  }
}
