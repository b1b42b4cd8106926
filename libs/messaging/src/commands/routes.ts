import { Injectable, type Type } from '@nestjs/common';
import {
  type DecoratedMethod,
  dtoReader,
  HandlerContexts,
  Empty,
  HandlerExplorer,
  hasRules,
  isPrimitive,
  messageBodiesOf,
  RateLimits,
  requireCarriedData,
  roomTypeOf,
  WsParamsFactory,
} from '@wss/core';
import { isSystemEvent, MAX_EVENT_LENGTH } from '@wss/protocol';
import { MESSAGE_METADATA, PARAM_ARGS_METADATA } from '@nestjs/websockets/constants.js';
import type { ClientSocket } from '../socket/client-socket.js';
import type { RoutedCommand } from './routed-command.js';
import { isSystemHandler } from './system-handler.js';

/** A method with its guards, pipes, interceptors and filters: it returns a value, a promise or an Observable, or throws. */
type CommandHandler = (client: ClientSocket, data: unknown, command: RoutedCommand, event: string) => unknown;

/** A handler, ready to be called. */
export interface Route {
  readonly event: string;
  /** Class and method, for messages. */
  readonly name: string;
  /** Type of the rooms that its commands belong to, if its class is tied to one. */
  readonly roomType?: string;
  /** True for the system's own events, which check membership themselves. */
  readonly system: boolean;
  /** How often it may be sent; absent without `@RateLimit`. */
  readonly limits?: RateLimits;
  readonly handler: CommandHandler;
  /** True if its handler returns a promise of its last value, because something runs around it. */
  readonly isWrapped: boolean;
}

/** Builds the table from event name to handler, once, from the decorated methods of plain providers. */
@Injectable()
export class RouteBuilder {
  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly contexts: HandlerContexts,
  ) {}

  /** @throws Error that says what to do: two handlers for one event, a `$` event, an erased body type, a request-scoped class. */
  build(): Map<string, Route> {
    const routes = new Map<string, Route>();
    for (const method of this.explorer.commandMethods()) {
      const route = this.route(method);
      const other = routes.get(route.event);
      if (other) {
        throw new Error(`"${route.event}" is handled twice: by ${other.name} and ${route.name}; rename one`);
      }
      routes.set(route.event, route);
    }
    return routes;
  }

  private route(found: DecoratedMethod): Route {
    const name = `${found.class.name}.${found.method}`;
    const event: unknown = Reflect.getMetadata(MESSAGE_METADATA, found.callback);
    const system = isSystemHandler(found.class);
    requireCarriedData(found);
    checkEvent(event, name, system);
    const { handler, isWrapped } = this.contexts.createDirect(found, {
      type: 'ws',
      paramsKey: PARAM_ARGS_METADATA,
      params: new WsParamsFactory(bodyReader(found, name)),
      commands: !system,
    });
    const roomType = roomTypeOf(found.class)?.type;
    const limits = RateLimits.of(found.callback, event, roomType !== undefined);
    const problem = limits?.problem();
    if (problem) throw new Error(`${name}: @RateLimit: ${problem}`);
    return {
      event,
      name,
      system,
      ...(roomType !== undefined && { roomType }),
      ...(limits && { limits }),
      handler,
      isWrapped,
    };
  }
}

function checkEvent(event: unknown, name: string, system: boolean): asserts event is string {
  if (typeof event !== 'string' || event === '' || event.length > MAX_EVENT_LENGTH) {
    throw new Error(`${name}: an event name is a string of 1 to ${MAX_EVENT_LENGTH} characters`);
  }
  if (isSystemEvent(event) && !system) {
    throw new Error(
      `${name}: "${event}" starts with "$", which is reserved for the system; choose another name`,
    );
  }
}

/** Returns the reader of the handler's whole `@MessageBody()`, by the DTO class of the parameter. */
function bodyReader(found: DecoratedMethod, name: string): ((data: unknown) => unknown) | undefined {
  for (const body of messageBodiesOf(found)) {
    if (body.kind !== 'whole' || isPrimitive(body.type)) continue;
    requireRules(body.type, name);
    return dtoReader(body.type);
  }
  return undefined;
}

function requireRules(type: Type<object>, name: string): void {
  if (type === Empty || hasRules(type)) return;
  throw new Error(
    `${name}: ${type.name} has no class-validator rules, so all of its data would be dropped; decorate its fields, e.g. @IsString()`,
  );
}
