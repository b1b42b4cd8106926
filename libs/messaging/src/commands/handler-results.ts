import { AsyncResource } from 'node:async_hooks';
import { GatewayError, isThenable, type RecordedAnswer } from '@wss/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { RoutedCommand } from './routed-command.js';
import type { Route } from './routes.js';

/** True if only limits and the membership have to be judged before the handler is called, and nothing waits for its end. */
export function isSimple(route: Route, command: RoutedCommand): boolean {
  return !command.number && !route.system;
}

/** Nobody has to be told when the scope of a call is collected. */
const SCOPE = { requireManualDestroy: true };

/** Calls the handler. A store of `AsyncLocalStorage` that it enters ends with it, and is in no other command. */
export function callHandler({ handler, event }: Route, command: RoutedCommand): unknown {
  const { client, data } = command;
  return new AsyncResource('WssCommand', SCOPE).runInAsyncScope(
    handler,
    undefined,
    client,
    data ?? {},
    command,
    event,
  );
}

/** A handler may answer with an error as its result. */
export function answerOf(data: unknown): RecordedAnswer {
  return data instanceof GatewayError ? { error: data } : { data };
}

/** True for what a handler returned if its answer comes later. */
export function comesLater(route: Route, data: unknown): boolean {
  return isThenable(data) || (!route.isWrapped && isObservable(data));
}

/** The handler's result of what it returned: of an Observable the last value, as Nest has it. */
export async function resultOf(route: Route, data: unknown): Promise<unknown> {
  const known = await data;
  return !route.isWrapped && isObservable(known) ? lastValueFrom(known) : known;
}
