import { setTimeout as delay } from 'node:timers/promises';
import { FrontTarget } from './front-target.mjs';
import { GrowingPause } from './growing-pause.mjs';

/** So many starts in a row that do not get ready end the tries. */
const MOST_TRIES = 5;

/** One node of a cluster, made again whenever it ends, after a pause that grows while it ends soon. */
export class KeptNode {
  stopping = new AbortController();
  pause = new GrowingPause();
  /** Starts in a row that did not get ready. */
  tries = 0;

  /**
   * @param options.make starts a GatewayNode
   * @param options.front leads clients to the node while it serves
   * @param options.onReady called with { pid, nodeId, url } at each start
   * @param options.onEnd called with (pid, code, pauseMs) when it ended; the pause is undefined when it is given up
   */
  constructor(options) {
    this.options = options;
    /** Resolves when no node follows: to the exit code of the last one. */
    this.over = this.keep();
  }

  /** Ends it for good. A further signal is passed on, which hurries the node. */
  stop(signal) {
    if (this.isStopping) return this.node?.signal(signal);
    this.stopping.abort();
    void this.node?.stop(signal);
  }

  get isStopping() {
    return this.stopping.signal.aborted;
  }

  async keep() {
    for (;;) {
      const code = await this.runOnce();
      const pauseMs = this.pauseAfter();
      if (!this.isStopping) this.options.onEnd(this.node.pid, code, pauseMs);
      if (this.isStopping || pauseMs === undefined) return code;
      await delay(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.isStopping) return 0;
    }
  }

  async runOnce() {
    const { make, front, onReady } = this.options;
    const node = (this.node = make());
    this.readyAt = undefined;
    const ready = await node.ready;
    if (ready && !this.isStopping) {
      this.readyAt = performance.now();
      this.wasReady = true;
      this.tries = 0;
      this.target = new FrontTarget(ready.port);
      front.add(this.target);
      onReady({ pid: node.pid, ...ready });
    }
    const code = await node.exited;
    front.remove(this.target);
    return code;
  }

  /** One that was never ready will not be at the next try: its settings are wrong, or its code. */
  pauseAfter() {
    const now = performance.now();
    if (!this.readyAt && (++this.tries >= MOST_TRIES || !this.wasReady)) return undefined;
    return this.pause.next(now - (this.readyAt ?? now));
  }
}
