import { Logger } from '@nestjs/common';

/** Log entries since {@link captureLogs}, one string per entry. */
export interface CapturedLogs {
  readonly error: string[];
  readonly warn: string[];
  readonly debug: string[];
}

/** Collects what is logged, until {@link releaseLogs}. */
export function captureLogs(): CapturedLogs {
  const logs: CapturedLogs = { error: [], warn: [], debug: [] };
  const into =
    (lines: string[]) =>
    (message: unknown): void => {
      lines.push(message instanceof Error ? (message.stack ?? message.message) : String(message));
    };
  Logger.overrideLogger({
    log: () => undefined,
    error: into(logs.error),
    warn: into(logs.warn),
    debug: into(logs.debug),
  });
  return logs;
}

/** Back to what all tests have: errors are printed. */
export function releaseLogs(): void {
  Logger.overrideLogger(['error', 'fatal']);
}
