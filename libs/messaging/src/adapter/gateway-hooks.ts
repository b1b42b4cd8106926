import { type ArgumentsHost, Catch, type ExceptionFilter, type Type, UseFilters } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { GATEWAY_METADATA, GATEWAY_OPTIONS, PORT_METADATA } from '@nestjs/websockets/constants.js';
import { kindOf, stackOf } from '@wss/protocol';
import { ClientSocket } from '../socket/client-socket.js';
import { failConnection, type GatewayClient, reportFault } from '../socket/connection-failure.js';
import { NativeClient } from '../socket/native-client.js';

type GatewayHook = (this: object, client: unknown, ...rest: unknown[]) => unknown;
type GatewayHookName = 'handleConnection' | 'handleDisconnect';

/** A class with `@WebSocketGateway`. */
export interface GatewayDeclaration {
  readonly class: Type<object>;
  readonly port: number;
  readonly path?: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** True if every connection has an instance of its own. */
  readonly requestScoped: boolean;
  /** The one instance of a class that is not request-scoped. */
  readonly instance?: object;
}

/** Returns the gateways of an application; one class in two modules is two gateways, as in Nest. */
export function findGateways(modules: ModulesContainer): GatewayDeclaration[] {
  const found: GatewayDeclaration[] = [];
  for (const module of modules.values()) {
    for (const wrapper of module.providers.values()) {
      const { metatype } = wrapper;
      if (typeof metatype !== 'function' || !Reflect.getMetadata(GATEWAY_METADATA, metatype)) continue;
      const type = metatype as Type<object>;
      const requestScoped = !wrapper.isDependencyTreeStatic();
      const instance = requestScoped ? undefined : (wrapper.instance as object | undefined);
      found.push({ ...declaration(type), requestScoped, ...(instance && { instance }) });
    }
  }
  return found;
}

function declaration(type: Type<object>): Omit<GatewayDeclaration, 'requestScoped' | 'instance'> {
  const options = (Reflect.getMetadata(GATEWAY_OPTIONS, type) ?? {}) as Record<string, unknown>;
  const port = (Reflect.getMetadata(PORT_METADATA, type) ?? 0) as number;
  const { path } = options;
  return { class: type, port, options, ...(typeof path === 'string' && { path }) };
}

const guards = new WeakSet<GatewayHook>();

/**
 * Guards the hooks of a gateway. In Nest an error of a connection hook ends the process. Here it ends that one
 * connection, and frames wait until `handleConnection` is done.
 */
export function guardHooks(gateway: GatewayDeclaration): void {
  const { instance } = gateway;
  const prototype = gateway.class.prototype as object;
  for (const name of ['handleConnection', 'handleDisconnect'] as const) {
    guard(gateway, prototype, name);
    if (instance && Object.hasOwn(instance, name)) guard(gateway, instance, name);
  }
}

function guard(
  { class: owner, requestScoped }: GatewayDeclaration,
  target: object,
  name: GatewayHookName,
): void {
  const original = (target as Partial<Record<GatewayHookName, GatewayHook>>)[name];
  if (typeof original !== 'function' && !requestScoped) return;
  if (original && guards.has(original) && Object.hasOwn(target, name)) return;
  const hook: GatewayHook = function (socket, ...rest) {
    const call = (): unknown => original?.call(this, socket, ...rest);
    const client = clientOf(socket);
    // An error of `super.handleConnection()` belongs to the derived class, which has a guard of its own.
    if (!client || this.constructor !== owner) return call();
    return runHook({ owner, name, client }, call);
  };
  guards.add(hook);
  Object.defineProperty(target, name, { value: hook, configurable: true, writable: true });
  if (requestScoped) catchConstruction(owner, name);
}

/** The client of a socket; absent for a socket of another server. */
export function clientOf(socket: unknown): GatewayClient | undefined {
  return ClientSocket.of(socket) ?? NativeClient.of(socket);
}

interface HookRun {
  readonly owner: Type<object>;
  readonly name: GatewayHookName;
  readonly client: GatewayClient;
}

function runHook(run: HookRun, call: () => unknown): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    fail(run, error);
    return undefined;
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') {
    ended(run);
    return result;
  }
  const done = Promise.resolve(result as PromiseLike<unknown>).catch((error: unknown) => fail(run, error));
  if (run.name === 'handleConnection') run.client.holdUntil(done);
  else awaitAtShutdown(run.client, done);
  ended(run);
  return done;
}

function awaitAtShutdown(client: GatewayClient, done: Promise<unknown>): void {
  const { cleanUps } = client.pathContext;
  cleanUps.add(done);
  void done.finally(() => cleanUps.delete(done));
}

function fail(run: HookRun, error: unknown): void {
  const { owner, name, client } = run;
  if (name === 'handleConnection') failConnection(owner.name, client, error);
  else {
    const line = `handleDisconnect of ${owner.name} failed for client ${client.id}: ${stackOf(error)}`;
    reportFault(client, `${owner.name} left ${kindOf(error)}`, line);
  }
  ended(run);
}

/** Connections whose instances of request-scoped gateways are still being created. */
const constructions = new WeakMap<GatewayClient, Map<Type<object>, () => void>>();

/** Lets frames wait until the connection's own instances of these gateways exist and their hooks have run. */
export function holdForConstruction(client: GatewayClient, gateways: readonly Type<object>[]): void {
  if (gateways.length === 0) return;
  const pending = new Map<Type<object>, () => void>();
  constructions.set(client, pending);
  for (const gateway of gateways) {
    client.holdUntil(new Promise<void>((resolve) => pending.set(gateway, resolve)));
  }
}

function ended({ owner, name, client }: HookRun): void {
  if (name === 'handleConnection') constructions.get(client)?.get(owner)?.();
}

/**
 * For a request-scoped class Nest always calls both hooks; if the instance can't be created, the error goes to the
 * filters of the hook.
 */
function catchConstruction(owner: Type<object>, name: GatewayHookName): void {
  @Catch()
  class ConstructionFilter implements ExceptionFilter {
    catch(error: unknown, host: ArgumentsHost): void {
      fail({ owner, name, client: clientOf(host.getArgByIndex(0))! }, error);
    }
  }
  const prototype = owner.prototype as object;
  UseFilters(new ConstructionFilter())(prototype, name, Object.getOwnPropertyDescriptor(prototype, name)!);
}
