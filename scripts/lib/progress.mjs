import { erase, say } from './project.mjs';

const REPAINT_MS = 1_000;
const LINE_MS = 5_000;

/** Tells that something goes on and for how long: on a terminal in one line, else by a line every five seconds. */
export class Progress {
  startedAt = performance.now();

  constructor(doing) {
    this.doing = doing;
    const { isTTY } = process.stdout;
    say(`${doing} …`, isTTY ? '' : '\n');
    this.timer = setInterval(() => this.tell(), isTTY ? REPAINT_MS : LINE_MS);
    this.timer.unref();
  }

  get seconds() {
    return (performance.now() - this.startedAt) / 1_000;
  }

  tell() {
    say(`${this.doing} … ${Math.round(this.seconds)} s`, process.stdout.isTTY ? '' : '\n');
  }

  /** Ends it; `done` is said with the time that it took. */
  end(done) {
    clearInterval(this.timer);
    erase();
    if (done) say(`${done} in ${this.seconds.toFixed(1)} s`);
  }
}

/**
 * Tells the progress of some work.
 * @returns what the work returns
 */
export async function withProgress({ doing, done }, work) {
  const progress = new Progress(doing);
  try {
    const result = await work();
    progress.end(done);
    return result;
  } catch (error) {
    progress.end();
    throw error;
  }
}
