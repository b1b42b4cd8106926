import type { AddressInfo } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import {
  type INestApplication,
  Injectable,
  Module,
  type ModuleMetadata,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { TestClient } from '@wss/testing';
import type { WebSocket } from 'ws';
import { ClusterWsAdapter } from '../../src/index.js';
import { routerModule } from '../test-ports.js';
import { classOf, type Kind, misbehave, type PlannedEnhancer, TOKENS, type World } from './enhancer-plan.js';

/** One handler: the enhancers of its class and its method, and how it ends. */
export interface PlannedHandler {
  readonly event: string;
  readonly own: readonly PlannedEnhancer[];
  readonly ends: 'pass' | 'throw' | 'fail';
}

/** An application: its global enhancers and its handlers. */
export interface PlannedApp {
  readonly global: readonly PlannedEnhancer[];
  readonly handlers: readonly PlannedHandler[];
}

/** The effect of one message: the enhancers that ran, in order, and the answer that its client got. */
export interface Outcome {
  readonly notes: readonly string[];
  readonly answer: string;
}

/** Sends one message to each handler of the application, as gateways of Nest under its own adapter. */
export function playNative(plan: PlannedApp): Promise<Outcome[]> {
  const notes: string[] = [];
  const world: World = {
    note: (line) => void notes.push(line),
    wrap: (text) => ({ event: 'said', data: text }),
    unwrap: (result) => (result as { data: string }).data,
    answer: (text, host) => {
      host
        .switchToWs()
        .getClient<WebSocket>()
        .send(JSON.stringify({ event: 'said', data: text }));
    },
  };
  return play(plan, world, notes, {
    open: (app) => app.useWebSocketAdapter(new WsAdapter(app)),
    place: (metadata) => metadata,
    decorate: WebSocketGateway(),
    ask: async (client, event) => {
      client.send({ event, data: 'text' });
      const { event: kind, data } = await client.next();
      if (kind === 'said') return data as string;
      const { message } = data as { message: string };
      return `error: ${message === 'Internal server error' ? 'internal' : message}`;
    },
  });
}

/** The same by plain providers behind the router. */
export function playRouted(plan: PlannedApp): Promise<Outcome[]> {
  const notes: string[] = [];
  return play(
    plan,
    routedWorld((line) => void notes.push(line)),
    notes,
    {
      open: (app) => app.useWebSocketAdapter(new ClusterWsAdapter(app)),
      place: (metadata) =>
        routerModule({ ...metadata, providers: [RouterGateway, ...(metadata.providers ?? [])] }),
      decorate: Injectable(),
      ask: async (client, event) => {
        const { data, error } = await client.request(event, 'text');
        if (!error) return data as string;
        return `error: ${error.code === 'internal' ? 'internal' : error.message}`;
      },
    },
  );
}

/** The world of providers behind the router. */
export function routedWorld(note: World['note']): World {
  return {
    note,
    wrap: (text) => text,
    unwrap: (result) => result as string,
    answer: (text) => text,
  };
}

@WebSocketGateway({ commands: true })
class RouterGateway {}

interface Manner {
  open(app: INestApplication): unknown;
  place(metadata: ModuleMetadata): ModuleMetadata;
  readonly decorate: ClassDecorator;
  ask(client: TestClient, event: string): Promise<string>;
}

async function play(plan: PlannedApp, world: World, notes: string[], manner: Manner): Promise<Outcome[]> {
  const handlers = plan.handlers.map((handler) => handlerClass(handler, world));
  for (const handler of handlers) manner.decorate(handler);
  @Module({})
  class RootModule {}
  const providers = [...globalProviders(plan.global, world), ...handlers];
  const app = await NestFactory.create(
    { module: RootModule, ...manner.place({ providers }) },
    new FastifyAdapter(),
    { abortOnError: false },
  );
  manner.open(app);
  useGlobals(app, plan.global, world);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as HttpServer).address() as AddressInfo;
  const client = await TestClient.connect(`ws://127.0.0.1:${port}/`);
  const outcomes: Outcome[] = [];
  for (const { event } of plan.handlers) {
    const answer = await manner.ask(client, event);
    outcomes.push({ notes: notes.splice(0), answer });
  }
  client.socket.terminate();
  await app.close();
  return outcomes;
}

function handlerClass({ event, own, ends }: PlannedHandler, world: World): Type<object> {
  class PlannedHandlers {
    @SubscribeMessage(event)
    say(@MessageBody() text: string): unknown {
      world.note('handler');
      misbehave(ends, 'the handler');
      return world.wrap(text);
    }
  }
  for (const enhancer of own) enhance(PlannedHandlers, 'say', { enhancer, world });
  return PlannedHandlers;
}

/** Puts an enhancer on a class of handlers or on its method, which may be of a class above. */
export function enhance(
  type: Type<object>,
  name: string,
  { enhancer, world }: { readonly enhancer: PlannedEnhancer; readonly world: World },
): void {
  const prototype = type.prototype as Record<string, unknown>;
  const decorator = DECORATORS[enhancer.kind](classOf(enhancer, world));
  if (enhancer.place === 'class') decorator(type);
  else decorator(prototype, name, { value: prototype[name] });
}

type AnyDecorator = (target: object, key?: string, descriptor?: PropertyDescriptor) => void;

const DECORATORS: Readonly<Record<Kind, (enhancer: Type<object>) => AnyDecorator>> = {
  guard: (type) => UseGuards(type) as AnyDecorator,
  interceptor: (type) => UseInterceptors(type) as AnyDecorator,
  pipe: (type) => UsePipes(type as never) as AnyDecorator,
  filter: (type) => UseFilters(type as never) as AnyDecorator,
};

/** The providers that make enhancers global. */
export function globalProviders(global: readonly PlannedEnhancer[], world: World): Provider[] {
  return global.flatMap((enhancer): Provider[] => {
    const provide = TOKENS[enhancer.kind];
    const useClass = classOf(enhancer, world);
    if (enhancer.place === 'app-class') return [{ provide, useClass }];
    if (enhancer.place === 'app-value') return [{ provide, useValue: new useClass() }];
    if (enhancer.place === 'app-request') return [{ provide, useClass, scope: Scope.REQUEST }];
    if (enhancer.place === 'app-transient') return [{ provide, useClass, scope: Scope.TRANSIENT }];
    return [];
  });
}

/** Makes enhancers global that are no providers. */
export function useGlobals(app: INestApplication, global: readonly PlannedEnhancer[], world: World): void {
  for (const enhancer of global) {
    if (enhancer.place !== 'use-global') continue;
    const instance = new (classOf(enhancer, world))() as never;
    if (enhancer.kind === 'guard') app.useGlobalGuards(instance);
    else if (enhancer.kind === 'interceptor') app.useGlobalInterceptors(instance);
    else if (enhancer.kind === 'pipe') app.useGlobalPipes(instance);
    else app.useGlobalFilters(instance);
  }
}
