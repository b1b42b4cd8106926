import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  BadRequestException,
  createParamDecorator,
  Injectable,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { ConnectedSocket, MessageBody, SubscribeMessage, WsException } from '@nestjs/websockets';
import { Command, CurrentCommand, GatewayError, RateLimit, RoomType } from '@wss/core';
import type { Random } from '@wss/testing';
import { IsString, Length } from 'class-validator';
import { EMPTY, from, of, throwError } from 'rxjs';
import { ClientSocket } from '../../src/index.js';
import { OWN_PLACES, planned, type PlannedEnhancer } from './enhancer-plan.js';
import { enhance, routedWorld } from './enhancer-world.js';

/** A store that handlers and parameters enter. */
export const store = new AsyncLocalStorage<string>();

/** Parameters that were read, and values that were awaited, since somebody took this out. */
export const reads: string[] = [];

/** One handler, before there is a class. */
export interface PlannedCommand {
  readonly event: string;
  readonly room: keyof typeof ROOMS;
  readonly params: readonly ParamName[];
  readonly deed: DeedName;
  readonly own: readonly PlannedEnhancer[];
  /** True if a class above the provider's declares it. */
  readonly inherited: boolean;
  readonly limited: boolean;
}

/** Kinds of rooms: none, one that everybody may use, and one for members. */
const ROOMS = { none: undefined, open: 'open', closed: 'closed' } as const;

@Injectable()
@RoomType('open', { openToAll: true })
class OpenRooms {}

@Injectable()
@RoomType('closed', {})
class ClosedRooms {}

/** The providers that declare the kinds of rooms. */
export const ROOM_KINDS = [OpenRooms, ClosedRooms];

class Words {
  @IsString()
  @Length(1, 5)
  text!: string;
}

class MarkingPipe implements PipeTransform {
  async transform(value: unknown): Promise<unknown> {
    await nextTurn();
    return [value];
  }
}

/** A parameter that is read by this function. */
function read(reader: () => unknown): ParameterDecorator {
  return createParamDecorator(reader)();
}

/** A function is an object with `then` too. */
function thenable(result: unknown): unknown {
  const wait = (done: (result: unknown) => void): void => {
    reads.push('awaited');
    done(result);
  };
  const awaited = (): void => undefined;
  Reflect.set(awaited, 'then', wait);
  return awaited;
}

const PARAMS = {
  body: MessageBody(),
  field: MessageBody('text'),
  piped: MessageBody('text', new MarkingPipe()),
  socket: ConnectedSocket(),
  command: CurrentCommand(),
  none: undefined,
  known: read(() => (reads.push('known'), 'known')),
  late: read(() => nextTurn('late')),
  thenable: read(() => thenable('thenable')),
  refused: read(() => Promise.reject(new WsException('no parameter'))),
  failing: read(() => {
    throw new GatewayError('conflict', 'no such parameter');
  }),
  entering: read(() => store.enterWith('a parameter')),
} as const;
type ParamName = keyof typeof PARAMS;

class Circle {
  readonly self = this;
}

const THROWN: Readonly<Record<string, unknown>> = {
  bug: new TypeError('a bug'),
  refusal: new GatewayError('conflict', 'not now', { details: [{ message: 'it is taken' }] }),
  words: new WsException({ code: 'not_found', message: 'it is gone' }),
  nothing: undefined,
  null: null,
  text: 'text',
  empty: new WsException(null as never),
  http: new BadRequestException(['one', 'two']),
};

const RESULTS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  object: () => ({ said: 'object' }),
  list: () => [1, undefined, new Date(0)],
  error: () => new GatewayError('invalid', 'an error as a result'),
  bigint: () => 1n,
  circle: () => new Circle(),
  generator: () => yielding(),
  thenable: () => thenable('thenable'),
  entering: () => store.enterWith('a handler'),
};

const WAYS: Readonly<Record<string, (make: () => unknown) => unknown>> = {
  now: (make) => make(),
  soon: async (make) => make(),
  later: async (make) => (await nextTurn(), make()),
  observed: (make) => from([1, 2].map((i) => (i === 1 ? 'first' : make()))),
  'observed soon': async (make) => of(make()),
  'observed twice': (make) => of(of(make())),
  'observed later': (make) => from(nextTurn().then(make)),
  'observed to fail': (make) => throwError(make),
  nowhere: () => EMPTY,
};

const DEEDS: Readonly<Record<string, () => unknown>> = Object.fromEntries(
  Object.entries(WAYS).flatMap(([way, go]) => [
    ...Object.entries(RESULTS).map(([name, make]) => [`${name} ${way}`, () => go(make)]),
    ...Object.entries(THROWN).map(([name, error]) => [`throws ${name} ${way}`, () => go(() => raise(error))]),
  ]),
);
type DeedName = string;

/** A random handler; most have nothing around them. */
export function plannedCommand(random: Random, index: number): PlannedCommand {
  const params = Array.from({ length: random.below(5) }, () =>
    random.pick(Object.keys(PARAMS) as ParamName[]),
  );
  return {
    event: `do.${index}`,
    room: random.pick(Object.keys(ROOMS) as (keyof typeof ROOMS)[]),
    params,
    deed: random.pick(Object.keys(DEEDS)),
    own: random.below(4) === 0 ? planned(random, OWN_PLACES, 2) : [],
    inherited: random.below(4) === 0,
    limited: random.below(8) === 0,
  };
}

/** Makes the provider of a planned handler, and notes what it is called with. */
export function commandClass(plan: PlannedCommand, note: (line: string) => void): Type<object> {
  class Declaring {
    do(...args: unknown[]): unknown {
      note(
        `${plan.event} of ${this.constructor.name} in ${store.getStore()}: ${args.map(nameOf).join(', ')}`,
      );
      return DEEDS[plan.deed]!();
    }
  }
  const { prototype } = Declaring;
  const method = Object.getOwnPropertyDescriptor(prototype, 'do')!;
  plan.params.forEach((name, index) => PARAMS[name]?.(prototype, 'do', index));
  Reflect.defineMetadata(
    'design:paramtypes',
    plan.params.map((name) => (name === 'body' ? Words : String)),
    prototype,
    'do',
  );
  SubscribeMessage(plan.event)(prototype, 'do', method);
  if (plan.limited) RateLimit({ per: 'client', limit: 1_000, windowMs: 1_000 })(prototype, 'do', method);
  class Inheriting extends Declaring {}
  const type = plan.inherited ? Inheriting : Declaring;
  for (const enhancer of plan.own) enhance(type, 'do', { enhancer, world: routedWorld(note) });
  const kind = ROOMS[plan.room];
  if (kind !== undefined) RoomType(kind)(type);
  Injectable()(type);
  return type;
}

function raise(error: unknown): never {
  throw error;
}

async function* yielding(): AsyncGenerator<number> {
  yield await nextTurn(1);
}

function nameOf(value: unknown): string {
  if (value instanceof ClientSocket) return 'the client';
  if (value instanceof Command) return 'the command';
  return `${(value as object | undefined)?.constructor.name} ${JSON.stringify(value)}`;
}
