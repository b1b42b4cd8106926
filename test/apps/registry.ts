import { attempt } from './command.js';

/** npm asks the registry, and neither its cache nor again and again. */
const QUESTION = ['npm', 'view', '@nestjs/cli', 'version', '--prefer-online', '--fetch-retries=0'] as const;

/** @returns why npm gets no packages here, or nothing if it gets them */
export async function whyOffline(): Promise<string | undefined> {
  const { code, output } = await attempt(QUESTION, { withinMs: 20_000 });
  if (code === 0) return undefined;
  const reason = /code (E\w+)/.exec(output)?.[1] ?? 'no answer';
  return `npm does not reach its registry (${reason})`;
}
