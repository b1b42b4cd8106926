import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HandlerContexts } from './handlers/handler-contexts.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { RoomTypeRegistry } from './rooms/room-type-registry.js';
import { SessionHooks } from './sessions/session-hooks.js';

/** Providers that find decorated handlers and room types; modules that need them import this one. */
@Module({
  imports: [DiscoveryModule],
  providers: [HandlerContexts, HandlerExplorer, RoomTypeRegistry, SessionHooks],
  exports: [HandlerContexts, HandlerExplorer, RoomTypeRegistry, SessionHooks],
})
export class HandlersModule {}
