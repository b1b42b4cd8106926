import { Logger, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { GATEWAY_METADATA, GATEWAY_OPTIONS, PORT_METADATA } from '@nestjs/websockets/internal';
import { ClientSocket } from './client-socket.js';

type Hook = (this: object, client: unknown, ...rest: unknown[]) => unknown;
type HookName = 'handleConnection' | 'handleDisconnect';

const GUARDED = Symbol('wss:guarded-hook');

/** A class with `@WebSocketGateway`. */
export interface GatewayDeclaration {
  readonly class: Type<object>;
  readonly port: number;
  readonly path?: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The gateways of an application. */
export function findGateways(modules: ModulesContainer): GatewayDeclaration[] {
  const found = new Map<Type<object>, GatewayDeclaration>();
  for (const module of modules.values()) {
    for (const { metatype } of module.providers.values()) {
      if (typeof metatype !== 'function' || !Reflect.getMetadata(GATEWAY_METADATA, metatype)) continue;
      const type = metatype as Type<object>;
      if (found.has(type)) {
        throw new Error(
          `${type.name} is provided by two modules, so every hook would run twice; provide it once and export it`,
        );
      }
      found.set(type, declaration(type));
    }
  }
  return [...found.values()];
}

function declaration(type: Type<object>): GatewayDeclaration {
  const options = (Reflect.getMetadata(GATEWAY_OPTIONS, type) ?? {}) as Record<string, unknown>;
  const port = (Reflect.getMetadata(PORT_METADATA, type) ?? 0) as number;
  return { class: type, port, options, ...(typeof options.path === 'string' && { path: options.path }) };
}

/**
 * Nest hands what a connection hook throws to nobody, which ends the process. Here it ends that one connection,
 * and frames wait until an asynchronous `handleConnection` is done.
 */
export function guardHooks(
  gateway: Type<object>,
  onFailure: (client: ClientSocket, error: unknown) => void,
): void {
  guard(gateway, 'handleConnection', (client, error) => onFailure(client, error));
  guard(gateway, 'handleDisconnect', (client, error) => {
    new Logger(gateway.name).error(`handleDisconnect of client ${client.id} failed: ${describe(error)}`);
  });
}

function guard(
  gateway: Type<object>,
  name: HookName,
  onFailure: (client: ClientSocket, error: unknown) => void,
): void {
  const prototype = gateway.prototype as Partial<Record<HookName, Hook & { [GUARDED]?: true }>>;
  const original = prototype[name];
  if (typeof original !== 'function' || original[GUARDED]) return;
  const guarded: Hook & { [GUARDED]?: true } = function (client, ...rest) {
    if (!(client instanceof ClientSocket)) return original.call(this, client, ...rest);
    return runHook(client, () => original.call(this, client, ...rest), name, onFailure);
  };
  guarded[GUARDED] = true;
  Object.defineProperty(prototype, name, { value: guarded, configurable: true, writable: true });
}

function runHook(
  client: ClientSocket,
  run: () => unknown,
  name: HookName,
  onFailure: (client: ClientSocket, error: unknown) => void,
): unknown {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    onFailure(client, error);
    return undefined;
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return result;
  const done = Promise.resolve(result as PromiseLike<unknown>).catch((error: unknown) =>
    onFailure(client, error),
  );
  if (name === 'handleConnection') client.holdUntil(done);
  return done;
}

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
