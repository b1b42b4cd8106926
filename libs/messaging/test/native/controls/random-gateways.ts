import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  type ModuleMetadata,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from '@nestjs/websockets';
import type { Random } from '@wss/testing';
import { concat, from, map, of, throwError } from 'rxjs';
import type { IncomingMessage } from 'node:http';
import { type RawData, WebSocket } from 'ws';

/** Where a gateway listens. */
export interface Place {
  readonly port: number;
  readonly path?: string;
  readonly maxPayload?: number;
  readonly verify?: 'sync' | 'async';
}

const HOOKS = ['none', 'sync', 'waits', 'streams', 'streams by itself', 'pings'] as const;
const ENDS = ['none', 'sync', 'waits'] as const;
const ENHANCERS = ['none', 'guard', 'filter', 'mute filter', 'broken filter'] as const;
const ANSWERS = [
  ...['echo', 'value', 'nothing', 'promise', 'late', 'observable', 'late observable', 'failing observable'],
  ...['promised observable', 'bytes', 'sends', 'pings', 'ws exception', 'object exception', 'bug', 'rejects'],
] as const;

/** The events of a plan. */
export const EVENTS = ['a', 'b', 'c', 'd'] as const;

export interface HandlerPlan {
  readonly event: string;
  readonly answer: (typeof ANSWERS)[number];
  readonly enhancer: (typeof ENHANCERS)[number];
}

export interface GatewayPlan {
  readonly name: string;
  readonly place: Place;
  readonly hook: (typeof HOOKS)[number];
  readonly end: (typeof ENDS)[number];
  readonly hasArrows: boolean;
  /** Listens for messages by itself, and answers them or not. */
  readonly raw: 'none' | 'listens' | 'answers';
  readonly handlers: readonly HandlerPlan[];
}

export function planGateways(random: Random, places: readonly Place[]): GatewayPlan[] {
  return places.flatMap((place, at) =>
    Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      name: `g${at}${index}`,
      place,
      hook: random.pick(HOOKS),
      end: random.pick(ENDS),
      hasArrows: random.below(3) === 0,
      raw: random.pick(['none', 'none', 'listens', 'answers'] as const),
      handlers: EVENTS.filter(() => random.below(4) > 0).map((event) => ({
        event,
        answer: random.pick(ANSWERS),
        enhancer: random.pick(ENHANCERS),
      })),
    })),
  );
}

/** Hooks and handlers take fewer turns; what is marked comes after them. */
const MARK_TURNS = 12;

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

/** Makes the gateways of a plan; each line that they note begins with client and gateway. */
export function makeGateways(plans: readonly GatewayPlan[], note: (line: string) => void): ModuleMetadata {
  const clients = new WeakMap<WebSocket, string>();
  const world: World = {
    note: (client, gateway, line) => note(`${clients.get(client)} ${gateway} ${line}`),
    meet: (client, { url }) => {
      clients.set(client, new URL(url!, 'ws://x').searchParams.get('c')!);
    },
  };
  const places = [...new Set(plans.map(({ place }) => place))];
  return {
    providers: [
      ...places.map((place) => markGateway(place, world)),
      ...plans.map((plan) => gateway(plan, world)),
    ],
  };
}

interface World {
  note(client: WebSocket, gateway: string, line: string): void;
  meet(client: WebSocket, request: IncomingMessage): void;
}

function optionsOf({ path, maxPayload, verify }: Place): object {
  const isFit = ({ req }: { req: IncomingMessage }): boolean => !req.url!.includes('refused');
  return {
    ...(path !== undefined && { path }),
    ...(maxPayload !== undefined && { maxPayload }),
    ...(verify === 'sync' && { verifyClient: isFit }),
    ...(verify === 'async' && {
      verifyClient: (info: { req: IncomingMessage }, done: (fit: boolean, status: number) => void) =>
        void nextTurn().then(() => done(isFit(info), 403)),
    }),
  };
}

/** Answers `mark` when all that came before has been answered. */
function markGateway(place: Place, world: World): Type<object> {
  @WebSocketGateway(place.port, optionsOf(place))
  class MarkGateway {
    handleConnection(client: WebSocket, request: IncomingMessage): void {
      world.meet(client, request);
    }

    handleDisconnect(client: WebSocket, code: number): void {
      world.note(client, 'mark', `gone ${code}`);
    }

    @SubscribeMessage('mark')
    async mark(@MessageBody() data: unknown): Promise<object> {
      await turns(MARK_TURNS);
      return { event: 'mark', data };
    }

    @SubscribeMessage('end')
    end(@ConnectedSocket() client: WebSocket, @MessageBody() [how, code]: [string, number]): void {
      if (how === 'terminate') client.terminate();
      else if (how === 'close') client.close(code, 'as asked');
      else client.close();
    }
  }
  return MarkGateway;
}

type Method = (this: unknown, ...args: never[]) => unknown;

function gateway(plan: GatewayPlan, world: World): Type<object> {
  const hooks: Record<string, Method> = {
    ...((plan.hook !== 'none' || plan.raw !== 'none') && { handleConnection: connectHook(plan, world) }),
    ...(plan.end !== 'none' && { handleDisconnect: endHook(plan, world) }),
  };
  @WebSocketGateway(plan.place.port, optionsOf(plan.place))
  class RandomGateway {
    constructor() {
      if (plan.hasArrows) Object.assign(this, hooks);
    }
  }
  const { prototype } = RandomGateway;
  if (!plan.hasArrows) Object.assign(prototype, hooks);
  for (const handler of plan.handlers) addHandler(prototype, plan, handler, world);
  return RandomGateway;
}

function addHandler(prototype: object, { name }: GatewayPlan, handler: HandlerPlan, world: World): void {
  const value: Method = function (client: WebSocket, data: unknown) {
    world.note(client, name, `${handler.event} ${JSON.stringify(data)}`);
    return answer(handler.answer, `${name}.${handler.event}`, client, data);
  } as Method;
  const key = `on${handler.event}`;
  Object.defineProperty(prototype, key, { value, writable: true, configurable: true });
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!;
  ConnectedSocket()(prototype, key, 0);
  MessageBody()(prototype, key, 1);
  SubscribeMessage(handler.event)(prototype, key, descriptor);
  enhancerOf(handler.enhancer)?.(prototype, key, descriptor);
}

function answer(kind: HandlerPlan['answer'], event: string, client: WebSocket, data: unknown): unknown {
  const of3 = of(0, 1, 2).pipe(map((n) => ({ event, data: [data, n] })));
  switch (kind) {
    case 'echo':
      return { event, data };
    case 'value':
      return [event, data];
    case 'nothing':
      return undefined;
    case 'promise':
      return Promise.resolve({ event, data });
    case 'late':
      return turns(3).then(() => ({ event, data }));
    case 'observable':
      return of3;
    case 'late observable':
      return concat(from(turns(2)).pipe(map(() => ({ event, data: 'first' }))), of3);
    case 'failing observable':
      return concat(
        of3,
        throwError(() => new WsException(`${event} ended`)),
      );
    case 'promised observable':
      return turns(1).then(() => from([{ event, data }, null, { event, data }]));
    case 'bytes':
      return void client.send(Buffer.from(`${event} ${JSON.stringify(data)}`));
    case 'sends':
      client.send(JSON.stringify({ event: `${event}.sent` }));
      return { event, data };
    case 'pings':
      return void client.ping(event);
    case 'ws exception':
      throw new WsException(event);
    case 'object exception':
      throw new WsException({ event, data });
    case 'bug':
      throw new RangeError('secret');
    case 'rejects':
      return turns(2).then(() => Promise.reject(new WsException(event)));
  }
}

class OddGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return typeof context.switchToWs().getData() === 'object';
  }
}

@Catch()
class TellingFilter implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): void {
    const ws = host.switchToWs();
    ws.getClient<WebSocket>().send(JSON.stringify({ event: 'told', data: [error.message, ws.getPattern()] }));
  }
}

@Catch()
class MuteFilter implements ExceptionFilter {
  catch(): void {}
}

@Catch()
class BrokenFilter implements ExceptionFilter {
  catch(error: Error): void {
    throw error;
  }
}

function enhancerOf(kind: HandlerPlan['enhancer']): MethodDecorator | undefined {
  if (kind === 'none') return undefined;
  if (kind === 'guard') return UseGuards(OddGuard);
  const filters = { filter: TellingFilter, 'mute filter': MuteFilter, 'broken filter': BrokenFilter };
  return UseFilters(new filters[kind]());
}

function connectHook(plan: GatewayPlan, world: World): Method {
  return function (client: WebSocket, request: IncomingMessage) {
    world.meet(client, request);
    world.note(client, plan.name, `came ${request.url}`);
    if (plan.raw !== 'none') listen(plan, world, client);
    return runHook(plan, world, client);
  } as Method;
}

function listen({ name, raw }: GatewayPlan, world: World, client: WebSocket): void {
  client.on('message', (data: RawData, isBinary) => {
    world.note(client, name, `raw ${isBinary} ${String(data).slice(0, 40)}`);
    if (raw === 'answers') client.send(JSON.stringify({ event: `${name}.raw`, data: String(data).length }));
  });
  client.on('ping', (data) => world.note(client, name, `ping ${String(data)}`));
}

function runHook({ name, hook }: GatewayPlan, world: World, client: WebSocket): unknown {
  const stream = async (): Promise<void> => {
    for (let n = 0; n < 4; n++) {
      if (client.readyState === WebSocket.OPEN)
        client.send(JSON.stringify({ event: `${name}.tick`, data: n }));
      await nextTurn();
    }
  };
  switch (hook) {
    case 'waits':
      return turns(5).then(() => world.note(client, name, 'ready'));
    case 'streams':
      return stream();
    case 'streams by itself':
      return void stream();
    case 'pings':
      return client.ping(`${name} hello`);
    default:
      return undefined;
  }
}

function endHook({ name, end }: GatewayPlan, world: World): Method {
  return function (client: WebSocket, code: number) {
    world.note(client, name, `gone ${code}`);
    return end === 'waits' ? turns(2) : undefined;
  } as Method;
}
