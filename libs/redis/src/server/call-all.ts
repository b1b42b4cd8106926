import type { Logger } from '@nestjs/common';

/** Last failure of each listener: a fault that comes with every message is logged once. */
const faults = new WeakMap<object, string>();

/** Calls all listeners with a value. One that throws costs only itself, and each of its faults is logged once. */
export function callAll<T>(listeners: Iterable<(value: T) => void>, value: T, logger: Logger): void {
  for (const listener of listeners) {
    try {
      listener(value);
    } catch (error) {
      if (faults.get(listener) === String(error)) continue;
      faults.set(listener, String(error));
      logger.error(error);
    }
  }
}
