import type { Logger } from '@nestjs/common';
import { kindOf, LogGate, stackOf } from '@wss/protocol';

/** A fault may come with every message. */
const gates = new WeakMap<object, LogGate>();

/** Calls all listeners with a value. One that throws costs only itself, and each kind of its faults is logged once a period. */
export function callAll<T>(listeners: Iterable<(value: T) => void>, value: T, logger: Logger): void {
  for (const listener of listeners) {
    try {
      listener(value);
    } catch (error) {
      const gate = gates.get(listener) ?? new LogGate((line) => logger.error(line));
      gates.set(listener, gate);
      gate.report(kindOf(error), stackOf(error));
    }
  }
}
