import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Command } from './command.js';

/**
 * Position of the command among a handler's arguments; the event name comes last, because Nest looks for the pattern
 * there.
 */
const COMMAND_ARGUMENT = 2;

/** Injects the {@link Command} that a handler, guard or pipe is working on. */
export const CurrentCommand = createParamDecorator((_data: unknown, context: ExecutionContext): Command => {
  return context.getArgByIndex<Command>(COMMAND_ARGUMENT);
});
