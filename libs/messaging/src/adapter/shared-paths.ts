import { Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { MESSAGE_MAPPING_METADATA, MESSAGE_METADATA } from '@nestjs/websockets/constants.js';
import { CommandRouter } from '../commands/command-router.js';
import { findGateways } from './gateway-hooks.js';
import { GatewayPaths } from './gateway-paths.js';

/** Keeps native gateways and the router apart on the paths that both serve: an event has one kind of handler. */
@Injectable()
export class SharedPaths implements OnModuleInit {
  private readonly scanner = new MetadataScanner();

  constructor(
    private readonly modules: ModulesContainer,
    // The router, initialized first as a dependency, so that its table is built.
    private readonly router: CommandRouter,
  ) {}

  /** @throws Error that says what to do if an event is handled in both ways. */
  onModuleInit(): void {
    const gateways = findGateways(this.modules);
    const paths = new GatewayPaths(gateways);
    const routed = new Set<unknown>(this.router.events);
    for (const gateway of gateways) {
      // A namespace is socket.io's.
      if (gateway.options.namespace) continue;
      if (paths.servesCommands(gateway.port, gateway.path)) this.requireOwnEvents(gateway.class, routed);
    }
  }

  private requireOwnEvents(gateway: Type<object>, routed: ReadonlySet<unknown>): void {
    const prototype = gateway.prototype as Record<string, object>;
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      const callback = prototype[method]!;
      if (Reflect.getMetadata(MESSAGE_MAPPING_METADATA, callback) === undefined) continue;
      const event: unknown = Reflect.getMetadata(MESSAGE_METADATA, callback);
      if (!routed.has(event)) continue;
      throw new Error(
        `"${String(event)}" is handled by ${gateway.name}.${method} and by the command router on one path; rename one of them, or give the gateway another path`,
      );
    }
  }
}
