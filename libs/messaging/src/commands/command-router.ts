import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import {
  GatewayError,
  type RecordedAnswer,
  RoomTypeRegistry,
  toGatewayError,
  uncompiledClasses,
} from '@wss/core';
import {
  type ClientFrame,
  encodeError,
  FrameError,
  kindOf,
  LogGate,
  parseRoomName,
  stackOf,
} from '@wss/protocol';
import { WebSocket } from 'ws';
import { Answers } from './answers.js';
import type { ClientSocket, FrameRouter } from '../socket/client-socket.js';
import type { RoomState } from '../socket/room-state.js';
import { Deadlines } from './deadlines.js';
import { MemberJudge } from './member-judge.js';
import { MessagingObserver } from '../ports/messaging-observer.js';
import { SessionSource } from '../ports/ports.js';
import { WAITING_AT_ONCE } from '../reading/reading-turns.js';
import { answerOf, callHandler, comesLater, isSimple, resultOf } from './handler-results.js';
import { notInTime, RoutedCommand } from './routed-command.js';
import { commandFrom, membershipOf } from './new-command.js';
import { Refusals } from './refusals.js';
import { type Route, RouteBuilder } from './routes.js';
import { UnknownEvents } from './unknown-events.js';
import { UnknownNames } from './unknown-names.js';
import { WaitingCommands } from './waiting-commands.js';

/** System events that ask something of a room, as members may, and change nothing. */
const ASKS: ReadonlySet<string> = new Set(['$presence', '$history']);

/**
 * Takes a client's frames to their handlers: one look-up in a table that was built at boot.
 *
 * Handlers of one client run concurrently and are started in order. A handler's return value is the reply, and what
 * it throws is the error. Neither affects the connection's other commands or other clients.
 */
@Injectable()
export class CommandRouter
  implements FrameRouter, OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  private readonly logger = new Logger(CommandRouter.name);
  private readonly faults = new LogGate((line) => this.logger.error(line));
  private readonly deadlines = new Deadlines((command) => this.expire(command));
  private readonly waiting = new WaitingCommands();
  private readonly refusals: Refusals;
  private routes: ReadonlyMap<string, Route> = new Map();

  constructor(
    private readonly builder: RouteBuilder,
    private readonly types: RoomTypeRegistry,
    private readonly answers: Answers,
    private readonly sessions: SessionSource,
    private readonly unknown: UnknownEvents,
    private readonly names: UnknownNames,
    private readonly members: MemberJudge,
    @Optional() private readonly observer?: MessagingObserver,
  ) {
    this.refusals = new Refusals(types, names);
  }

  onModuleInit(): void {
    this.types.all();
    this.routes = this.builder.build();
  }

  /** Messages and documents are known by now. */
  onApplicationBootstrap(): void {
    const left = uncompiledClasses();
    if (left !== undefined) this.logger.log(left);
  }

  onApplicationShutdown(): void {
    this.deadlines.stop();
  }

  /** Events that have a handler. */
  get events(): readonly string[] {
    return [...this.routes.keys()];
  }

  /** The same, each with its kind of room; `null`: with or without any room. */
  get contract(): readonly (readonly [event: string, roomType: string | null])[] {
    return [...this.routes.values()].map(({ event, roomType = null }) => [event, roomType]);
  }

  /** Answers a frame that could not be read. */
  refuse(client: ClientSocket, error: FrameError): void {
    client.reply(encodeError(error.id, toGatewayError(error).toBody()));
  }

  /**
   * Starts the frame's handler; never throws.
   * @param bytes size of the frame
   */
  dispatch(client: ClientSocket, frame: ClientFrame, bytes = 0): void {
    const { room } = frame;
    // No state is kept for an invalid room name: the command is refused.
    const isRoom =
      room !== undefined && (client.roomState(room) !== undefined || parseRoomName(room) !== undefined);
    const state = isRoom ? client.useRoom(room) : undefined;
    const command = commandFrom(client, frame, { bytes, ...(state && { state }) });
    client.inFlight++;
    command.hold();
    if (!state?.changing) return this.run(command, state);
    // A join or leave in this room is under way: commands that were sent after it take effect after it.
    this.waiting.add(state, command);
    this.deadlines.add(command);
  }

  /** Drops the waiting commands of a client whose connection has gone. */
  clientGone(client: ClientSocket): void {
    for (const command of this.waiting.takeAll(client.roomsInUse())) this.drop(command);
  }

  private run(command: RoutedCommand, state?: RoomState): void {
    const route = this.routes.get(command.event);
    const refusal = this.refusals.of(route, command, state);
    const isForeign = refusal?.code === 'not_found';
    if (refusal && !isForeign) {
      command.fail(refusal);
      this.finish(command, state);
      return;
    }
    // A join that it waited for counts.
    if (state?.joined) command.membership = membershipOf(command.client, state);
    if (route && !isForeign && isSimple(route, command)) return this.callSimply(route, command, state);
    this.deadlines.add(command);
    const handling = isForeign ? this.refuseRoom(command, refusal) : this.handle(route, command);
    const running = handling.finally(() => this.finish(command, state));
    if (route?.system && state && !ASKS.has(route.event)) this.holdRoom(state, running);
  }

  /** Calls the handler of a command without a number. */
  private callSimply(route: Route, command: RoutedCommand, state: RoomState | undefined): void {
    let judging: Promise<void> | undefined;
    try {
      judging = this.judge(route, command);
    } catch (error) {
      this.answers.refuse(command, this.errorOf(route, command, error));
      return this.finish(command, state);
    }
    if (judging) return void this.callLater(route, command, { judging, state });
    let settling: Promise<void> | undefined;
    try {
      const data = callHandler(route, command);
      if (comesLater(route, data)) return void this.answerLater(route, command, { data, state });
      settling = this.answerSimply(route, command, answerOf(data));
    } catch (error) {
      settling = this.answerSimply(route, command, { error: this.errorOf(route, command, error) });
    }
    if (settling) void settling.finally(() => this.finish(command, state));
    else this.finish(command, state);
  }

  /**
   * Charges the limits of the event, which a command without a number always has to run for, then judges the membership.
   * @returns undefined if the handler may be called at once
   */
  private judge(route: Route, command: RoutedCommand): Promise<void> | undefined {
    const admitting = route.limits && this.answers.charges.admit(command, route.limits);
    if (admitting instanceof Promise) return admitting.then(() => this.members.judge(command));
    return this.members.judge(command);
  }

  private async callLater(
    route: Route,
    command: RoutedCommand,
    { judging, state }: { readonly judging: Promise<void>; readonly state: RoomState | undefined },
  ): Promise<void> {
    this.deadlines.add(command);
    try {
      await judging;
    } catch (error) {
      this.answers.refuse(command, this.errorOf(route, command, error));
      return this.finish(command, state);
    }
    await this.carryOut(route, command).finally(() => this.finish(command, state));
  }

  private async answerLater(
    route: Route,
    command: RoutedCommand,
    { data, state }: { readonly data: unknown; readonly state: RoomState | undefined },
  ): Promise<void> {
    this.deadlines.add(command);
    let settling: Promise<void> | undefined;
    try {
      settling = this.answerSimply(route, command, answerOf(await resultOf(route, data)));
    } catch (error) {
      settling = this.answerSimply(route, command, { error: this.errorOf(route, command, error) });
    }
    if (settling) await settling;
    this.finish(command, state);
  }

  /** Answers a command without a number; resolves when it is answered if its limits have to be charged first. */
  private answerSimply(
    route: Route,
    command: RoutedCommand,
    answer: RecordedAnswer,
  ): Promise<void> | undefined {
    if (route.limits) this.answers.charges.ended(command, route.limits, answer);
    if (command.owesCharges) return this.settleSimply(route, command, answer);
    this.answers.answer(command, answer);
    return undefined;
  }

  /** Never throws: nobody waits for it. */
  private async settleSimply(route: Route, command: RoutedCommand, answer: RecordedAnswer): Promise<void> {
    try {
      await this.answers.settle(command, answer);
    } catch (error) {
      this.answers.refuse(command, this.errorOf(route, command, error));
    }
  }

  /** Another node may know a kind of room that is not declared here. */
  private async refuseRoom(command: RoutedCommand, refusal: GatewayError): Promise<void> {
    try {
      command.fail(await this.unknown.judgeRoom(command, refusal));
    } catch (error) {
      this.answers.refuse(command, this.errorOf(undefined, command, error));
    }
  }

  private async handle(route: Route | undefined, command: RoutedCommand): Promise<void> {
    try {
      if (command.number) await this.sessions.prepareLane(command.client.session!, command.room!);
      if (route?.limits) {
        const admitted = this.answers.charges.admit(command, route.limits);
        const runs = admitted instanceof Promise ? await admitted : admitted;
        if (!runs) return await this.answers.settle(command, { data: undefined });
      }
      const judging = route && isOfMembers(route) ? this.members.judge(command) : undefined;
      if (judging) await judging;
    } catch (error) {
      return this.refuseSender(route, command, this.errorOf(route, command, error));
    }
    await this.carryOut(route, command);
  }

  /** Calls the handler and answers with what it returns. */
  private async carryOut(route: Route | undefined, command: RoutedCommand): Promise<void> {
    try {
      const data = route
        ? await resultOf(route, callHandler(route, command))
        : await this.unknown.judge(command, this.names.event(command.event, this.routes.keys()));
      await this.settle(route, command, answerOf(data));
    } catch (error) {
      await this.settle(route, command, { error: this.errorOf(route, command, error) });
    }
  }

  /** A member of a deleted room gets a final answer, which is recorded (R38). */
  private refuseSender(
    route: Route | undefined,
    command: RoutedCommand,
    error: GatewayError,
  ): Promise<void> | void {
    if (command.number && error.code === 'not_found') return this.settle(route, command, { error });
    return this.answers.refuse(command, error);
  }

  private settle(route: Route | undefined, command: RoutedCommand, answer: RecordedAnswer): Promise<void> {
    if (route?.limits) this.answers.charges.ended(command, route.limits, answer);
    return this.answers.settle(command, answer);
  }

  /** Turns a thrown value into the client's error, and logs the part that the client must not see. */
  private errorOf(route: Route | undefined, command: RoutedCommand, thrown: unknown): GatewayError {
    const error = toGatewayError(thrown);
    if (error.code === 'internal') this.log(route?.name ?? command.event, command, error.cause ?? thrown);
    return error;
  }

  /** Lets later commands in the room wait until the join or leave is done. */
  private holdRoom(state: RoomState, running: Promise<void>): void {
    state.changing = true;
    void running.finally(() => {
      state.changing = false;
      this.goOn(state);
    });
  }

  /** Starts the waiting commands, in order, some of them in a turn, up to the next join or leave. */
  private goOn(state: RoomState): void {
    for (let started = 0; !state.changing; started++) {
      if (started === WAITING_AT_ONCE) return this.goOnLater(state);
      const command = this.waiting.next(state);
      if (!command) return;
      if (command.client.readyState === WebSocket.OPEN) this.run(command, state);
      else this.drop(command);
    }
  }

  /** Commands that come meanwhile take their place behind those that wait. */
  private goOnLater(state: RoomState): void {
    state.changing = true;
    setImmediate(() => {
      state.changing = false;
      this.goOn(state);
    });
  }

  private drop(command: RoutedCommand): void {
    this.answers.refuse(command, new GatewayError('unavailable', 'the connection is gone'));
    this.finish(command, command.client.roomState(command.room!));
  }

  private expire(command: RoutedCommand): void {
    if (!command.expire()) return;
    this.answers.refuse(command, notInTime());
    this.observe(command);
    command.release();
    // A command that has not begun never will.
    const state = command.room === undefined ? undefined : command.client.roomState(command.room);
    if (state && this.waiting.remove(state, command)) this.finish(command, state);
  }

  private finish(command: RoutedCommand, state: RoomState | undefined): void {
    const { client } = command;
    command.pass();
    command.release();
    this.observe(command);
    if (state) client.freeRoom(command.room!);
    if (--client.inFlight === 0) client.whenIdle?.();
  }

  /** Only names of handlers: a client must not be able to invent any number of events. */
  private observe(command: RoutedCommand): void {
    if (!this.observer || command.observed) return;
    command.observed = true;
    const event = this.routes.has(command.event) ? command.event : 'unknown';
    this.observer.commandEnded(event, command.outcome, (performance.now() - command.startedAt) / 1_000);
  }

  private log(name: string, command: RoutedCommand, cause: unknown): void {
    // Only names of handlers: a client must not be able to invent any number of kinds.
    const kind = `${this.routes.has(command.event) ? name : 'unknown'} ${kindOf(cause)}`;
    this.faults.report(kind, `${name} failed for client ${command.client.id}: ${stackOf(cause)}`);
  }
}

/** True for an event that only members may send, unless the room is open to all. */
function isOfMembers({ system, event }: Route): boolean {
  return !system || ASKS.has(event);
}
