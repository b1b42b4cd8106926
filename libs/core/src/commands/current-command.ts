import { type ArgumentsHost, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { Command } from './command.js';

/**
 * Position of the command among a handler's arguments; the event name comes last, because Nest looks for the pattern
 * there.
 */
const COMMAND_ARGUMENT = 2;

/** Injects the {@link Command} into a parameter of its handler. Guards, interceptors and filters use {@link commandOf}. */
export const CurrentCommand = createParamDecorator((_data: unknown, context: ExecutionContext): Command => {
  return context.getArgByIndex<Command>(COMMAND_ARGUMENT);
});

/**
 * Returns the command that a guard, interceptor or filter runs for: its event, room, user and client. In the guard of
 * a room type (`@RoomType('poll', { join: … })`) that is the `$join`, with the room that the client wants to enter.
 *
 * Returns undefined where there is none: for HTTP requests, messages of gateways, and cluster events, calls and jobs.
 */
export function commandOf(context: ArgumentsHost): Command | undefined {
  if (context.getType() !== 'ws') return undefined;
  const command: unknown = context.getArgByIndex(COMMAND_ARGUMENT);
  return command instanceof Command ? command : undefined;
}
