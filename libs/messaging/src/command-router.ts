import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { GatewayError, RoomTypes, toGatewayError } from '@wss/handlers';
import { type ClientFrame, encodeError, FrameError, parseRoomName } from '@wss/protocol';
import type { ClientSocket, RoomState } from './client-socket.js';
import { Deadlines } from './deadlines.js';
import { RoutedCommand } from './routed-command.js';
import { type Route, RouteBuilder } from './routes.js';

/** How long a command may take before it enters its commit, ms. */
export const COMMAND_TIMEOUT_MS = 10_000;

/**
 * Takes a client's frames to their handlers: one look-up in a table that was built at boot.
 *
 * Handlers of one client run concurrently and are started in order. What a handler returns is the reply, what it
 * throws the error; the connection's other commands and all other clients are untouched by either.
 */
@Injectable()
export class CommandRouter implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(CommandRouter.name);
  private readonly deadlines = new Deadlines((command) => this.expire(command));
  private routes: ReadonlyMap<string, Route> = new Map();

  constructor(
    private readonly builder: RouteBuilder,
    private readonly types: RoomTypes,
  ) {}

  onModuleInit(): void {
    this.types.all();
    this.routes = this.builder.build();
  }

  onApplicationShutdown(): void {
    this.deadlines.stop();
  }

  /** Events that have a handler. */
  get events(): readonly string[] {
    return [...this.routes.keys()];
  }

  /** Answers a frame that could not be read. */
  refuse(client: ClientSocket, error: FrameError): void {
    client.reply(encodeError(error.id, toGatewayError(error).toBody()));
  }

  /** Starts the frame's handler; never throws. */
  dispatch(client: ClientSocket, frame: ClientFrame): void {
    if (frame.room === undefined) return this.run(client, frame);
    const state = client.roomState(frame.room);
    if (!state.changing) return this.run(client, frame, state);
    // A join or leave in this room is under way: what was sent after it happens after it.
    void state.changing.then(() => this.dispatch(client, frame));
  }

  private run(client: ClientSocket, frame: ClientFrame, state?: RoomState): void {
    const deadline = Date.now() + COMMAND_TIMEOUT_MS;
    const command = new RoutedCommand({ client, frame, deadline, ...(state && { lane: state.lane }) });
    const route = this.routes.get(frame.event);
    const refusal = route ? this.refusalOf(route, command, state) : unknownEvent();
    if (refusal) {
      command.fail(refusal);
      this.finish(command);
      return;
    }
    this.deadlines.add(command);
    const running = this.handle(route!, command);
    if (route!.system && state) this.holdRoom(state, running);
  }

  private async handle(route: Route, command: RoutedCommand): Promise<void> {
    try {
      const result = await route.handle(command, command.data ?? {});
      command.answer(result);
    } catch (error) {
      this.answerError(route, command, error);
    }
    this.finish(command);
  }

  private answerError(route: Route, command: RoutedCommand, thrown: unknown): void {
    const error = toGatewayError(thrown);
    if (error.code === 'internal') this.log(route, command, error.cause ?? thrown);
    command.fail(error);
  }

  private refusalOf(route: Route, command: RoutedCommand, state?: RoomState): GatewayError | undefined {
    const { room } = command;
    if (route.system) return undefined;
    if (room === undefined) {
      return route.roomType === undefined ? undefined : badRoom(`must be ${route.roomType}:<key>`);
    }
    const type = parseRoomName(room)?.type;
    if (type === undefined) return badRoom('must be type:key');
    if (!this.types.get(type)) return new GatewayError('not_found', 'no such kind of room');
    if (route.roomType !== undefined && route.roomType !== type) {
      return badRoom(`must be ${route.roomType}:<key>`);
    }
    return state!.joined ? undefined : new GatewayError('forbidden', 'you are not a member of this room');
  }

  /** What follows in the room waits until the join or leave is done. */
  private holdRoom(state: RoomState, running: Promise<void>): void {
    const changing = running.finally(() => {
      if (state.changing === changing) delete state.changing;
    });
    state.changing = changing;
  }

  private expire(command: RoutedCommand): void {
    if (!command.expire()) return;
    command.fail(new GatewayError('unavailable', 'the command was not done in time'));
  }

  private finish(command: RoutedCommand): void {
    command.pass();
    if (command.room !== undefined) command.client.dropRoomState(command.room);
  }

  private log(route: Route, command: RoutedCommand, cause: unknown): void {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.logger.error(`${route.name} failed for client ${command.client.id}: ${text}`);
  }
}

function unknownEvent(): GatewayError {
  return new GatewayError('unknown_event', 'no handler for this event');
}

function badRoom(message: string): GatewayError {
  return new GatewayError('invalid', 'the room does not fit the event', {
    details: [{ path: 'room', message }],
  });
}
