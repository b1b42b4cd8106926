import { ENDING } from './run.mjs';

/** A terminal's Ctrl-C comes once to the whole group and once more from npm. */
const SAME_SIGNAL_MS = 1_000;
const PARENT_CHECK_MS = 1_000;

/**
 * Calls `listener(signal)` when this process should end: by a signal, or because the npm or yarn that runs it is gone
 * (killed, or a shell between us did not pass the signal on).
 */
export function onEndRequest(listener) {
  const lastMs = new Map();
  const request = (signal) => {
    const nowMs = Date.now();
    const isRepeated = nowMs - (lastMs.get(signal) ?? 0) < SAME_SIGNAL_MS;
    lastMs.set(signal, nowMs);
    if (!isRepeated) listener(signal);
  };
  for (const signal of ENDING) process.on(signal, request);
  if (process.env.npm_execpath || process.env.YARN_IGNORE_PATH) watchParent(() => request('SIGTERM'));
}

function watchParent(onGone) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_CHECK_MS);
  timer.unref();
}
