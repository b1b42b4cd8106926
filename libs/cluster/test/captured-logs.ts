import { Logger } from '@nestjs/common';

/** Collects what is logged, as one string per line, until {@link releaseLogs}. */
export function captureLogs(): string[] {
  const lines: string[] = [];
  const add = (message: unknown): void => {
    lines.push(message instanceof Error ? (message.stack ?? message.message) : String(message));
  };
  Logger.overrideLogger({ log: add, error: add, warn: add });
  return lines;
}

/** Back to what all tests have: errors are printed. */
export function releaseLogs(): void {
  Logger.overrideLogger(['error', 'fatal']);
}
